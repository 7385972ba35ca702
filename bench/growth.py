"""growth — build/bench/store-growth at 10^4 and 10^6 messages, then opened after a crash and after a clean end."""
import json, subprocess

import measure

PROGRAM = str(measure.ROOT / "build" / "bench" / "store-growth")
SMALL, LARGE, LARGE_QUICK, BODY = 10_000, 1_000_000, 100_000, 1024


def step(folder, messages, *words):
    done = subprocess.run([PROGRAM, str(folder), str(messages), *words], capture_output=True, text=True)
    if done.returncode:
        raise measure.Void(f"store-growth: {done.stderr}")
    return json.loads(done.stdout)


def figures(folder, quick, say):
    """{row: figure}. errors: Void."""
    large = LARGE_QUICK if quick else LARGE
    steps = [step(folder, SMALL), step(folder, large, "crash"), step(folder, large), step(folder, large)]
    for s in steps:
        say(f"growth: {s}")
    if steps[2]["found"] != large:
        raise measure.Void(f"growth: {steps[2]['found']} messages where {large} were delivered")
    log = sum(s["log_octets"] for s in steps[:2])  # each tells what it wrote
    beside = (log + steps[1]["index_octets"]) / large - BODY
    return {"growth_delivery_1e4": steps[0]["cpu_ms"], "growth_delivery_1e6": steps[1]["cpu_ms"],
            "growth_start_ms": max(s["open_ms"] for s in steps[2:]), "growth_bytes_per_message": beside}
