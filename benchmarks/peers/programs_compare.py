"""Compares Stillpoint's quadratic_program with qpth (https://github.com/locuslab/qpth) and prints a Markdown table.

    python3 programs_compare.py PATH_OF_stillpoint_peer_programs [PATH_OF_QPTH...]

Needs torch and qpth: `pip install qpth`, or a checkout, whose path follows. qpth imports cvxpy, for a solver that is
not used here; an empty cvxpy.py does, in a directory whose path may follow, too. Takes two minutes.
docs/benchmarks.md, "Compared with qpth", says what is measured.
"""

import os
import sys
import tempfile

# Both sides on one thread; before torch is imported, and inherited by the other side.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.dont_write_bytecode = True  # leaves the checkout as it is

import torch  # noqa: E402

from turns import Program, median_ratios, progress, seconds, table, times_faster  # noqa: E402

# Batch and size: how many times faster than qpth Stillpoint is to be, in double and with qpth's defaults.
BUDGETS = {(128, 100): 10, (128, 50): 8, (128, 10): 5, (1, 100): 10, (1, 10): 40}
# qpth's default tolerance, an absolute one, and about what Stillpoint's default allows here.
EPS, LOOSE_EPS = 1e-12, 1e-8


class Programs:
    """The programs of qpth's own profiling: as many rows as unknowns, and a point inside."""

    def __init__(self, program, directory, batch, size, dtype):
        self.program, self.batch, self.size, self.dtype = program, batch, size, dtype
        self.data, self.result = os.path.join(directory, "data"), os.path.join(directory, "result")
        rand = lambda *shape: torch.rand(*shape, dtype=torch.float64)  # noqa: E731
        randn = lambda *shape: torch.randn(*shape, dtype=torch.float64)  # noqa: E731
        root, G = rand(batch, size, size), randn(batch, size, size)
        Q = root @ root.transpose(1, 2) + 1e-3 * torch.eye(size, dtype=torch.float64)
        h = (G @ randn(batch, size, 1)).squeeze(2) + rand(batch, size)
        self.parts = [part.to(dtype) for part in (Q, randn(batch, size), G, h)]
        self.v = randn(batch, size).to(dtype)
        with open(self.data, "wb") as file:
            for tensor in [*self.parts, self.v]:
                file.write(tensor.contiguous().numpy().tobytes())

    def name(self):
        return f"n = m = {self.size}, B {self.batch}{'' if self.dtype == torch.float64 else ', float'}"

    def ask(self, measure, repeats=1):
        return self.program.ask({
            "batch": self.batch, "unknowns": self.size, "rows": self.size, "measure": measure, "repeats": repeats,
            "is_double": self.dtype == torch.float64, "data": self.data, "result": self.result})

    def ours(self, measure):
        return lambda repeats: self.ask(measure, repeats)["seconds"] / repeats

    def numbers(self):
        """x and the gradients that the last request left."""
        with open(self.result, "rb") as file:
            everything = torch.frombuffer(bytearray(file.read()), dtype=self.dtype)
        shapes = [self.v, *self.parts]
        split = everything.split([one.numel() for one in shapes])
        return [part.view_as(one) for part, one in zip(split, shapes)]

    def violation(self, x):
        """The largest one of a row, relative to the largest term of the rows."""
        _, _, G, h = (part.detach().double() for part in self.parts)
        x = x.detach().double()
        terms = max((G * x.unsqueeze(1)).abs().max().item(), h.abs().max().item())
        return ((G @ x.unsqueeze(2)).squeeze(2) - h).clamp_min(0).max().item() / terms


class Qpth:
    def __init__(self, qp_function, programs, eps):
        self.qp_function, self.programs, self.eps = qp_function, programs, eps

    def solve(self, parts):
        nothing = torch.empty(0, dtype=self.programs.dtype)
        return self.qp_function(eps=self.eps)(*parts, nothing, nothing)

    def forward(self):
        with torch.no_grad():
            return [self.solve(self.programs.parts)]

    def gradient(self):
        parts = [part.detach().requires_grad_() for part in self.programs.parts]
        x = self.solve(parts)
        return [x.detach(), *torch.autograd.grad(x, parts, self.programs.v)]


def difference(ours, theirs):
    """The largest over the parts, relative to the part."""
    ratios = [((a.double() - b.double()).norm() / b.double().norm()).item() for a, b in zip(ours, theirs)]
    return f"{max(ratios):.0e}"


def compare(programs, peer):
    progress(f"{programs.name()}, eps {peer.eps:g}")
    budget = BUDGETS[programs.batch, programs.size]
    if peer.eps != EPS or programs.dtype != torch.float64:
        budget = None
    answer = programs.ask("gradient")
    if answer["optimal"] != programs.batch:
        progress(f"  Stillpoint solved {answer['optimal']} of {programs.batch}")
    x, *gradients = programs.numbers()
    peer_x, *peer_gradients = peer.gradient()
    times = [times_faster(median_ratios([programs.ours(measure)], lambda repeats: seconds(work, repeats))[0], limit)
             for measure, work, limit in (("forward", peer.forward, budget), ("gradient", peer.gradient, None))]
    return [programs.name(), f"{peer.eps:g}", *times, f"{answer['optimal']} of {programs.batch}",
            f"{programs.violation(x):.0e}, {programs.violation(peer_x):.0e}", difference([x], [peer_x]),
            difference(gradients, peer_gradients)]


def import_qpth(paths):
    sys.path[:0] = paths
    try:
        from qpth.qp import QPFunction
    except ImportError as failure:
        sys.exit(f"qpth cannot be imported: {failure}. {__doc__}")
    return QPFunction


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if not os.path.isfile(sys.argv[1]):
        sys.exit(f"{sys.argv[1]}: expected the program stillpoint_peer_programs")
    qp_function = import_qpth(sys.argv[2:])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    program = Program(sys.argv[1])
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        for dtype, eps in ((torch.float64, EPS), (torch.float64, LOOSE_EPS), (torch.float32, EPS)):
            for batch, size in BUDGETS:
                programs = Programs(program, directory, batch, size, dtype)
                rows.append(compare(programs, Qpth(qp_function, programs, eps)))
        libtorch = programs.ask("forward")["libtorch"]
    program.close()
    print(f"PyTorch {torch.__version__}, LibTorch {libtorch}; pairs of numbers are Stillpoint's and qpth's.")
    table("How many times faster Stillpoint is",
          ["programs", "qpth's eps", "forward", "with gradient", "solved", "violation", "difference of x",
           "of the gradients"], rows)


if __name__ == "__main__":
    main()
