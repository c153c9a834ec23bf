#!/usr/bin/env python3
"""Measures `tidegate watch`: how soon an alert is out, what it sustains, how its memory goes, how it starts again.

    cargo build --release
    pip install 'moto[server,s3,sqs]==5.2.5'
    python3 benches/watch.py latency   [--seconds N]              from message to alert, 5 objects of 10,000 records a second
    python3 benches/watch.py sustained [--seconds N] [--rate N]   backlog and memory at so many records a second
    python3 benches/watch.py restart   [--objects N]              with a ledger of so many objects

`latency` has Moto play S3 and SQS, which notify each other, and takes the time from before an object is put until its alert
is received; what Moto takes of that is told, too. `sustained` puts ever the same objects of `tidegate generate --profile
bench` into a folder under new names, which tell the time of the clock: at 300,000 records a second a slot has 90 million.
"""

import argparse
import glob
import gzip
import http.server
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "target"))
PROGRAM = os.path.join(TARGET, "release", "tidegate")
POLICY = os.path.join(ROOT, "policies", "sec-003.toml")
FIELDS = ("version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status "
          "vpc-id subnet-id instance-id tcp-flags type pkt-srcaddr pkt-dstaddr region az-id sublocation-type sublocation-id "
          "pkt-src-aws-service pkt-dst-aws-service flow-direction traffic-path")


def free_port():
    import socket
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def line(source, target, ports, flags, direction, path, now):
    return (f"5 123456789012 eni-0a1b2c3d4e5f60718 {source} {target} {ports[0]} {ports[1]} 6 4 450 {now - 90} {now - 60} ACCEPT OK "
            f"vpc-0a1b2c3d4e5f60718 subnet-0c1a00000000000a2 - {flags} IPv4 {source} {target} us-east-2 use2-az1 - - - - {direction} {path}")


def records(number, count, now):
    """An object: ordinary connections to a package repository, and one to an address of its own that is denied."""
    dice = random.Random(number)
    client, odd = "10.0.36.5", f"{11 + number // 65536 % 80}.{number // 256 % 256}.{number % 256}.9"
    lines = [FIELDS]
    for _ in range(count // 2 - 1):
        ports = (dice.randrange(32768, 60000), 443)
        lines.append(line(client, "10.0.64.20", ports, 2, "egress", 1, now))
        lines.append(line("10.0.64.20", client, ports[::-1], 18, "ingress", "-", now))
    lines.append(line(client, odd, (40000, 4444), 2, "egress", 8, now))
    lines.append(line(odd, client, (4444, 40000), 18, "ingress", "-", now))
    return odd.rsplit(".", 1)[0] + ".0/24", gzip.compress(("\n".join(lines) + "\n").encode(), 6)


def name(time_text, number):
    day = f"{time_text[:4]}/{time_text[4:6]}/{time_text[6:8]}"
    return (f"AWSLogs/123456789012/vpcflowlogs/us-east-2/{day}/123456789012_vpcflowlogs_us-east-2_fl-0a5c1e7b93d2f4680_"
            f"{time_text}_{number:08x}.log.gz")


def key_time(seconds):
    return time.strftime("%Y%m%dT%H%MZ", time.gmtime(seconds - seconds % 300))


def quantile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


class Received(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    times = {}

    def do_POST(self):
        alert = json.loads(self.rfile.read(int(self.headers["content-length"])))
        for one in alert.get("alerts", [alert]):
            Received.times.setdefault(one.get("server_subject"), time.monotonic())
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def latency(options, folder):
    import boto3
    port, hook = free_port(), http.server.ThreadingHTTPServer(("127.0.0.1", 0), Received)
    threading.Thread(target=hook.serve_forever, daemon=True).start()
    moto = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    os.environ.update(AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1", AWS_DEFAULT_REGION="us-east-1",
                      AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    os.environ.pop("AWS_PROFILE", None)
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1)
            break
        except OSError:
            time.sleep(0.1)
    s3, sqs = boto3.client("s3"), boto3.client("sqs")
    s3.create_bucket(Bucket="logs")
    queue = sqs.create_queue(QueueName="notices")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    s3.put_bucket_notification_configuration(Bucket="logs", NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]})
    watch = subprocess.Popen([PROGRAM, "watch", "sqs://notices", "--allow-no-dlq", "--policy", POLICY, "--state", f"{folder}/state",
                              "--lake", f"{folder}/lake", "--threads", "2",
                              "--alert", f"webhook:http://127.0.0.1:{hook.server_port}/?rate=100000&kind=egress-violation"])
    time.sleep(2)
    begun, put, took = time.monotonic(), {}, []
    for number in range(options.seconds * 5):
        now = int(time.time())
        subject, body = records(number, 10_000, now)
        time.sleep(max(0.0, begun + number / 5 - time.monotonic()))
        put[subject] = time.monotonic()
        s3.put_object(Bucket="logs", Key=name(key_time(now), number), Body=body)
        took.append(time.monotonic() - put[subject])
    time.sleep(5)
    watch.terminate()
    watch.wait()
    moto.terminate()
    waited = [Received.times[subject] - at for subject, at in put.items() if subject in Received.times]
    print(f"objects {len(put)}, alerts {len(waited)}, {len(put) / (options.seconds):.1f} objects a second of 10,000 records")
    print(f"message to alert: median {statistics.median(waited):.3f} s, p99 {quantile(waited, 0.99):.3f} s, most {max(waited):.3f} s")
    print(f"of that Moto, until the object is put: median {statistics.median(took):.3f} s, p99 {quantile(took, 0.99):.3f} s")
    if len(waited) < len(put):
        sys.exit("some alerts did not come")


def metrics(port):
    text = urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10).read().decode()
    return {key: float(value) for key, value in re.findall(r"^(tidegate_[^ ]+) (\S+)$", text, re.M)}


def sustained(options, folder):
    data = os.path.join(options.folder, "4000000-4-4")
    if not os.path.exists(os.path.join(data, "totals.json")):
        shutil.rmtree(data, ignore_errors=True)
        subprocess.run([PROGRAM, "generate", data, "--profile", "bench", "--records", "4000000", "--slots", "4"], check=True, stdout=subprocess.DEVNULL)
    objects = sorted(glob.glob(os.path.join(data, "logs", "**", "*.gz"), recursive=True))
    each = 4_000_000 / len(objects)
    port, logs = free_port(), os.path.join(folder, "logs")
    os.makedirs(logs)
    watch = subprocess.Popen([PROGRAM, "watch", logs, "--policy", POLICY, "--state", f"{folder}/state", "--lake", f"{folder}/lake",
                              "--alert", f"file:{folder}/alerts", "--listen", f"127.0.0.1:{port}", "--every", "1s", "--threads", "2",
                              "--lateness", "5m", "--since", "24h"])
    time.sleep(1)
    begun, number, told = time.monotonic(), 0, 0
    while (past := time.monotonic() - begun) < options.seconds:
        while number * each < past * options.rate:
            key = name(key_time(int(time.time())), number)
            os.makedirs(os.path.dirname(os.path.join(logs, key)), exist_ok=True)
            os.link(objects[number % len(objects)], os.path.join(logs, key))
            number += 1
        if past >= told + 15:
            told = past
            seen = metrics(port)
            print(f"{past:5.0f} s: put {number * each / 1e6:6.1f} M records, not looked at {number - seen['tidegate_objects_total']:4.0f} objects, "
                  f"slots waiting {seen['tidegate_slots_waiting']:2.0f}, {seen['tidegate_resident_memory_bytes'] / 2**20:4.0f} MiB", flush=True)
        time.sleep(0.05)
    behind, waited = metrics(port), time.monotonic()
    while number > metrics(port)["tidegate_objects_total"]:
        time.sleep(0.1)
    print(f"{number * each / 1e6:.1f} M records in {options.seconds} s; what was left to look at took {time.monotonic() - waited:.1f} s; "
          f"slots waiting then: {behind['tidegate_slots_waiting']:.0f}")
    watch.terminate()
    watch.wait()


def restart(options, folder):
    logs = os.path.join(folder, "logs")
    _, body = records(1, 10, 1_772_000_000)
    day = 1_772_000_000 - 1_772_000_000 % 86_400
    for number in range(options.objects):
        key = os.path.join(logs, name(key_time(day + number % 288 * 300), number))
        if number < 288:
            os.makedirs(os.path.dirname(key), exist_ok=True)
        with open(key, "wb") as file:
            file.write(body)
    watch = [PROGRAM, "watch", logs, "--policy", POLICY, "--state", f"{folder}/state", "--since", "2026-01-01"]
    begun = time.monotonic()
    subprocess.run(watch + ["--until-idle"], check=True)
    print(f"{options.objects} objects entered and judged in {time.monotonic() - begun:.1f} s")
    port, begun = free_port(), time.monotonic()
    again = subprocess.Popen(watch + ["--listen", f"127.0.0.1:{port}", "--every", "1h"])
    while True:
        try:
            if urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1).status == 200:
                break
        except OSError:
            time.sleep(0.01)
    print(f"started again in {time.monotonic() - begun:.2f} s")
    again.terminate()
    again.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["latency", "sustained", "restart"])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, default=300_000)
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--folder", default=os.path.join(tempfile.gettempdir(), "tidegate-bench"))
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    # Beside the input, so that objects can be linked.
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        {"latency": latency, "sustained": sustained, "restart": restart}[options.what](options, folder)


main()
