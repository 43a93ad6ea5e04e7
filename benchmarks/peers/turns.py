"""Two programs that take turns, so that whatever else the machine does weighs on both alike."""

import json
import os
import statistics
import subprocess
import sys
import time

ROUNDS = 7
ROUNDS_IF_SLOW = 3  # where one call takes more than a second
SECONDS_PER_TURN = 0.05


def progress(text):
    print(text, file=sys.stderr, flush=True)


class Program:
    """The other side: it reads a request a line and answers with a line, both JSON."""

    def __init__(self, path):
        self.name = os.path.basename(path)
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "no answer"}')
        if "error" in answer:
            sys.exit(f"{self.name}: {answer['error']}")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def seconds(work, repeats):
    if repeats > 1:
        work()  # as the other side does: the caches hold what is now another process's
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


def median_ratios(ours, theirs):
    """Of the time of each work of `ours` to that of `theirs`, over rounds in which they take turns. Each work
    takes a number of repeats and returns the seconds of one."""
    works = [*ours, theirs]
    once = [work(1) for work in works]
    progress("  ms: " + " ".join(f"{1000 * one:.2f}" for one in once))
    repeats = [max(1, round(SECONDS_PER_TURN / one)) for one in once]
    ratios = [[] for _ in ours]
    for turn in range(ROUNDS if max(once) < 1 else ROUNDS_IF_SLOW):
        order = list(range(len(works)))
        if turn % 2:
            order.reverse()
        times = {i: works[i](repeats[i]) for i in order}
        for i, ratio in enumerate(ratios):
            ratio.append(times[i] / times[len(ours)])
    for ratio in ratios:
        progress("  ratios: " + " ".join(f"{one:.2f}" for one in sorted(ratio)))
    return [statistics.median(ratio) for ratio in ratios]


def times_faster(ratio, budget):
    text = f"{1 / ratio:.1f}"
    return text if budget is None else f"{text} (≥ {budget})" + ("" if 1 / ratio >= budget else " short")


def table(title, columns, rows):
    print(f"\n{title}\n\n| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)
