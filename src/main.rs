//! The program: turns what the command line asked for into an exit code.

fn main() -> std::process::ExitCode {
    tidegate::cli::run(std::env::args_os()).into()
}
