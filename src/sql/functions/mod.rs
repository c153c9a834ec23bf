//! Functions of addresses, names and the policy, for IPv4 and IPv6 alike.
//!
//! A value in a row that is no address, or null, gives null; a prefix that is none is an error, because the query's author
//! wrote it. All but those that ask the policy, or
//! a file, are functions of their arguments alone, so that constants are folded.

mod addresses;
mod names;
mod origins;
mod policy;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

use crate::net::{Addr, Origins};
pub use policy::Policies;

/// What people are told of a function.
#[derive(Debug, PartialEq, Eq)]
pub struct Doc {
    /// Its name.
    pub name: &'static str,
    /// Its name with its arguments.
    pub syntax: &'static str,
    /// What it gives.
    pub about: &'static str,
    /// An expression.
    pub example: &'static str,
    /// What the expression gives as text.
    pub gives: &'static str,
}

/// All functions, by theme.
pub fn docs() -> impl Iterator<Item = &'static Doc> {
    all().into_iter().map(|function| function.doc)
}

/// All functions, of which those of a policy say that there is none, and those of origins know none.
fn all() -> Vec<Function> {
    let mut all = addresses::functions();
    all.extend(names::functions());
    all.extend(origins::functions(Origins::default()));
    all.extend(policy::functions(Policies::default()));
    all
}

/// Adds all functions to a registry.
pub(super) fn register(registry: &mut dyn FunctionRegistry) -> Result<()> {
    add(registry, all())
}

/// Has the functions of the policy answer by these.
pub(super) fn set_policies(registry: &mut dyn FunctionRegistry, policies: Policies) -> Result<()> {
    add(registry, policy::functions(policies))
}

/// Has the functions of addresses of the internet answer by these.
pub(super) fn set_origins(registry: &mut dyn FunctionRegistry, origins: Origins) -> Result<()> {
    add(registry, origins::functions(origins))
}

fn add(registry: &mut dyn FunctionRegistry, functions: Vec<Function>) -> Result<()> {
    for function in functions {
        registry.register_udf(Arc::new(ScalarUDF::new_from_impl(function)))?;
    }
    Ok(())
}

type Evaluate = Arc<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

/// A function of values in rows.
struct Function {
    doc: &'static Doc,
    signature: Signature,
    returns: DataType,
    evaluate: Evaluate,
}

impl Function {
    /// A function of arguments of these types; `evaluate` is given arrays of one length and gives one of `returns`.
    fn new(
        doc: &'static Doc,
        arguments: &[DataType],
        returns: DataType,
        evaluate: impl Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static,
    ) -> Function {
        Function {
            doc,
            signature: Signature::exact(arguments.to_vec(), Volatility::Immutable),
            returns,
            evaluate: Arc::new(evaluate),
        }
    }

    /// The same, of arguments of these types as well.
    fn or(mut self, arguments: &[DataType]) -> Function {
        let known = self.signature.type_signature.clone();
        let other = TypeSignature::Exact(arguments.to_vec());
        self.signature = Signature::one_of(vec![known, other], Volatility::Immutable);
        self
    }

    /// The same, of which no constant is made before a query runs.
    fn stable(mut self) -> Function {
        self.signature.volatility = Volatility::Stable;
        self
    }
}

impl ScalarUDFImpl for Function {
    fn name(&self) -> &str {
        self.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = |value: &ColumnarValue| matches!(value, ColumnarValue::Scalar(_));
        let all_scalar = arguments.args.iter().all(is_scalar);
        let arrays = if all_scalar {
            ColumnarValue::values_to_arrays(&arguments.args)?
        } else {
            let rows = arguments.number_rows;
            let arrays = arguments
                .args
                .into_iter()
                .map(|value| value.into_array(rows));
            arrays.collect::<Result<_>>()?
        };
        let found = (self.evaluate)(&arrays)?;
        if all_scalar {
            let value = datafusion::common::ScalarValue::try_from_array(&found, 0)?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(found))
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.doc.syntax)
    }
}

impl PartialEq for Function {
    fn eq(&self, other: &Function) -> bool {
        self.doc == other.doc && Arc::ptr_eq(&self.evaluate, &other.evaluate)
    }
}

impl Eq for Function {}

impl Hash for Function {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.doc.name.hash(state);
    }
}

/// The texts of an argument.
fn texts(argument: &ArrayRef) -> &StringArray {
    argument.as_string::<i32>()
}

/// The text of a row; none if it is null.
fn text_at(texts: &StringArray, row: usize) -> Option<&str> {
    texts.is_valid(row).then(|| texts.value(row))
}

/// The address of a row; none if it is null or no address.
fn addr_at(texts: &StringArray, row: usize) -> Option<Addr> {
    text_at(texts, row)?.parse().ok()
}

/// What the last text was read as: constants, and runs of equal texts, are read once.
struct Memo<T> {
    last: Option<(String, T)>,
}

impl<T> Memo<T> {
    fn new() -> Memo<T> {
        Memo { last: None }
    }

    fn get(&mut self, text: &str, read: impl FnOnce(&str) -> Result<T>) -> Result<&T> {
        if self.last.as_ref().is_none_or(|(last, _)| last != text) {
            self.last = Some((text.to_owned(), read(text)?));
        }
        let (_, value) = self.last.as_ref().expect("it was just read");
        Ok(value)
    }
}

fn plan_error(message: String) -> DataFusionError {
    DataFusionError::Plan(message)
}
