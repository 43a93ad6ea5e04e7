"""Compares Stillpoint with torchdeq (https://github.com/locuslab/torchdeq) and prints Markdown tables.

    python3 torchdeq_compare.py PATH_OF_TORCHDEQ PATH_OF_stillpoint_peer_cells

Needs torch, numpy (which torchdeq imports) and a checkout of torchdeq. Takes a few minutes.
docs/benchmarks.md, "Beside torchdeq", says what is measured and what is equal and unequal between the sides.
"""

import os
import sys
import tempfile

# Both sides on one thread; before torch is imported, and inherited by the other side.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.dont_write_bytecode = True  # leaves the checkout of torchdeq as it is

import torch  # noqa: E402

from turns import Program, median_ratios, progress, seconds, table  # noqa: E402

SIZES = [(100, 100), (512, 100), (100, 1), (512, 1), (16, 1)]  # width, batch
SECOND_ORDER_SIZES = [(100, 1), (16, 1)]
SOLVERS = {"Picard": "fixed_point_iter", "Anderson": "anderson", "Broyden": "broyden"}
TOLERANCE = 1e-5  # relative residual of the solution, and of the adjoint
MAX_ITERATIONS = 300  # steps from z0 = 0, forward and backward
# Solver, memory. torchdeq's Broyden remembers all steps by default; with 20 it overwrites the oldest.
RUNS = [("Picard", 0), ("Anderson", 5), ("Broyden", 20), ("Broyden", MAX_ITERATIONS)]
REGULARIZATIONS = [1e-4, 1e-6, 1e-8, 1e-10, 1e-12]  # of torchdeq's Anderson; the first one is its default
FAILED = 3 * TOLERANCE  # a larger residual; torchdeq's Broyden may stop below this if it makes no progress
UNROLLED_STEPS = 300


class Cell:
    """f(z) = tanh(x + z W), which contracts by at most 0.97 a step; V is for second derivatives."""

    def __init__(self, width, batch):
        self.width, self.batch = width, batch
        self.weight = 0.97 * torch.linalg.qr(torch.randn(width, width))[0]
        self.x = 0.1 * torch.randn(batch, width)
        self.direction = torch.randn(width, width)

    def __call__(self, z):
        return torch.tanh(torch.addmm(self.x, z, self.weight))

    def start(self):
        return torch.zeros_like(self.x)

    def requires_grad(self, on):
        self.weight.requires_grad_(on)
        self.x.requires_grad_(on)
        return self

    def double(self):
        other = object.__new__(Cell)
        other.width, other.batch = self.width, self.batch
        other.weight, other.x = self.weight.detach().double(), self.x.detach().double()
        other.direction = self.direction.double()
        return other

    def residual(self, z):
        """The largest relative residual of a sample, in double."""
        f, z = self.double(), z.detach().double()
        return ((f(z) - z).norm(dim=1) / z.norm(dim=1)).max().item()

    def size(self):
        return f"{self.width} x {self.batch}"


def gradient(cell, z):
    """Of sum(z^2) with respect to W. That with respect to x is computed, too, as inside a network."""
    return torch.autograd.grad(z.square().sum(), [cell.weight, cell.x])[0]


def second_order(cell, z, measure):
    """The gradient of the squared norm of `gradient` (penalty), or its derivative along V (hessian)."""
    first = torch.autograd.grad(z.square().sum(), [cell.weight, cell.x], create_graph=True)[0]
    scalar = first.square().sum() if measure == "penalty" else (first * cell.direction).sum()
    return torch.autograd.grad(scalar, [cell.weight])[0]


def error(value, reference):
    return ((value.detach().double() - reference).norm() / reference.norm()).item()


class Stillpoint:
    """The program of cells.cpp, which describes the requests."""

    def __init__(self, program, directory):
        self.program = Program(program)
        self.data, self.result = os.path.join(directory, "data"), os.path.join(directory, "result")
        self.cell = None

    def ask(self, cell, solver, memory, measure, repeats=1, **more):
        if cell is not self.cell:
            self.cell = cell
            with open(self.data, "wb") as file:
                for tensor in (cell.weight, cell.x, cell.direction):
                    file.write(tensor.detach().numpy().tobytes())
        request = dict(
            width=cell.width, batch=cell.batch, solver=solver, memory=memory, tolerance=TOLERANCE,
            max_iterations=MAX_ITERATIONS, backward="Neumann", backward_relative=TOLERANCE,
            backward_absolute=0.0, repeats=repeats, measure=measure, data=self.data, result=self.result)
        return self.program.ask({**request, **more})

    def numbers(self):
        """The solution and the derivative that the last request left."""
        with open(self.result, "rb") as file:
            everything = torch.frombuffer(bytearray(file.read()), dtype=torch.float32)
        size = self.cell.batch * self.cell.width
        return everything[:size].view_as(self.cell.x), everything[size:].view(-1, self.cell.width)


class TorchDeq:
    """A layer of torchdeq with implicit differentiation (ift) or an unrolled (phantom) gradient."""

    def __init__(self, torchdeq, solver, solver_kwargs=None, ift=True, **b_tolerance):
        # fixed_point_iter and anderson count evaluations, broyden steps after the first evaluation.
        steps = MAX_ITERATIONS + (0 if solver == "Broyden" else 1)
        self.deq = torchdeq.get_deq(
            ift=ift, f_solver=SOLVERS[solver], f_max_iter=steps, f_tol=TOLERANCE, f_stop_mode="rel",
            b_solver="fixed_point_iter", b_max_iter=MAX_ITERATIONS + 1, grad=1 if ift else UNROLLED_STEPS,
            **b_tolerance)
        self.kwargs = solver_kwargs or {}
        self.products = 0

    def forward(self, cell, f=None):
        self.deq.eval()
        with torch.no_grad():
            return self.deq(f or cell, cell.start(), solver_kwargs=self.kwargs)[0][-1]

    def counted_forward(self, cell):
        """The solution and the evaluations that it took."""
        count = 0

        def counted(z):
            nonlocal count
            count += 1
            return cell(z)

        return self.forward(cell, counted), count

    def differentiable(self, cell):
        self.deq.train()
        out, _ = self.deq(cell, cell.start(), solver_kwargs=self.kwargs, backward_writer=self.count_products)
        return out[-1]

    def count_products(self, info):
        self.products = int(info["nstep"].max())


def solver_kwargs(torchdeq, cell, solver, memory):
    """What torchdeq's solver is given. Of the regularizations the one that serves it best in this cell: it is
    absolute there, relative in Stillpoint, and so cannot be the same."""
    if solver == "Picard":
        return {}
    if solver == "Broyden":
        return {"LBFGS_thres": memory}
    tried = []
    for lam in REGULARIZATIONS:
        kwargs = {"m": memory, "lam": lam}
        layer = TorchDeq(torchdeq, solver, kwargs)
        try:
            z, evaluations = layer.counted_forward(cell)
            tried.append((not cell.residual(z) < FAILED, evaluations, kwargs))
        except RuntimeError as failure:  # a singular system
            progress(f"  torchdeq's anderson with lam={lam}: {failure}")
    progress("  torchdeq's anderson: " + ", ".join(
        f"lam={kwargs['lam']:g} {count} evaluations{' (not converged)' if failed else ''}"
        for failed, count, kwargs in tried))
    return min(tried, key=lambda one: one[:2])[2]


def reference(cell):
    """z and the gradient in double: both by plain iteration to 1e-12, then one product with df/dW."""
    f = cell.double()
    z, change = f.start(), 1.0
    while change > 1e-12:
        z, before = f(z), z
        change = ((z - before).norm() / z.norm()).item()
    f.requires_grad(True)
    z.requires_grad_(True)
    fz = f(z)
    outer = 2 * z.detach()
    u, change = outer, 1.0
    while change > 1e-12:
        u, before = torch.autograd.grad(fz, z, u, retain_graph=True)[0] + outer, u
        change = ((u - before).norm() / u.norm()).item()
    return z.detach(), torch.autograd.grad(fz, f.weight, u)[0]


def unrolled_reference(cell, measure):
    """The second derivative in double, by plain autograd through all steps of the iteration to 1e-12."""
    f = cell.double().requires_grad(True)
    z, change = f.start(), 1.0
    while change > 1e-12:
        z, before = f(z), z
        change = ((z - before).norm() / z.norm()).item()
    return second_order(f, z, measure)


def compare(torchdeq, stillpoint, cell, exact, solver, memory):
    name = f"{solver}, memory {memory}" if memory else solver
    progress(f"{cell.size()} {name}")
    # The same absolute tolerance of the adjoint, since torchdeq's relative one refers to another norm.
    exact_z, exact_gradient = exact
    b_tolerance = TOLERANCE * (2 * exact_z).norm(dim=1).min().item()
    same = {"backward_relative": 0.0, "backward_absolute": b_tolerance}
    default = {"backward": "default", **same}
    kwargs = solver_kwargs(torchdeq, cell, solver, memory)
    layer = TorchDeq(torchdeq, solver, kwargs, b_tol=b_tolerance, b_stop_mode="abs")

    def ask(measure, repeats=1, **more):
        return stillpoint.ask(cell, solver, memory, measure, repeats, **more)

    def ours(measure, **more):
        return lambda repeats: ask(measure, repeats, **more)["seconds"] / repeats

    def theirs(repeats):
        return seconds(lambda: layer.forward(cell), repeats)

    def theirs_with_gradient(repeats):
        return seconds(lambda: gradient(cell, layer.differentiable(cell)), repeats)

    evaluations, residual = ask("forward")["evaluations"], cell.residual(stillpoint.numbers()[0])
    products, off = ask("gradient", **same)["products"], error(stillpoint.numbers()[1], exact_gradient)
    by_default = ask("gradient", **default)
    progress(f"  default backward: {by_default['method']}, {by_default['products']} products")
    z, peer_evaluations = layer.counted_forward(cell)
    peer_residual = cell.residual(z)
    cell.requires_grad(True)
    peer_off = error(gradient(cell, layer.differentiable(cell)), exact_gradient)

    failed = [who for who, one in (("Stillpoint", residual), ("torchdeq", peer_residual)) if not one < FAILED]
    ratios = [] if failed else [
        *median_ratios([ours("forward")], theirs),
        *median_ratios([ours("gradient", **same), ours("gradient", **default)], theirs_with_gradient)]
    cell.requires_grad(False)
    return [cell.size(), name + (f", lam {kwargs['lam']:g}" if "lam" in kwargs else ""),
            f"{evaluations}, {peer_evaluations}", f"{residual:.1e}, {peer_residual:.1e}",
            *([f"{ratio:.2f}" for ratio in ratios] or ["–"] * 3),
            f"{products}, {layer.products}" if ratios else "–", f"{off:.0e}, {peer_off:.0e}",
            f"– ({' and '.join(failed)} failed)" if failed else "yes" if max(ratios) < 1 else "no"]


def compare_bare(stillpoint, cell):
    """How much of the ratios is due to calling f from Python rather than from C++."""
    evaluations = 100

    def work():
        z = cell.start()
        for _ in range(evaluations):
            z = cell(z)

    def theirs(repeats):
        with torch.no_grad():
            return seconds(work, repeats)

    def ours(repeats):
        answer = stillpoint.ask(cell, "Picard", 0, "bare", repeats, evaluations=evaluations)
        return answer["seconds"] / repeats

    progress(f"{cell.size()} f alone")
    return [cell.size(), f"{median_ratios([ours], theirs)[0]:.2f}"]


def compare_second_order(torchdeq, stillpoint, cell, measure):
    progress(f"{cell.size()} {measure}")
    exact = unrolled_reference(cell, measure)
    stillpoint.ask(cell, "Anderson", 5, measure, backward="default")
    off = error(stillpoint.numbers()[1], exact)

    def peer(ift):
        cell.requires_grad(True)
        layer = TorchDeq(torchdeq, "Picard", ift=ift, b_tol=TOLERANCE, b_stop_mode="rel")
        try:
            return error(second_order(cell, layer.differentiable(cell), measure), exact)
        except RuntimeError as failure:
            progress(f"  torchdeq raises: {failure}")
            return None
        finally:
            cell.requires_grad(False)

    peers = [peer(ift=True), peer(ift=False)]
    what = {"penalty": "gradient of the squared gradient norm", "hessian": "Hessian-vector product"}[measure]
    return [cell.size(), what, f"{off:.1e}", *("raises" if one is None else f"{one:.1e}" for one in peers),
            "yes" if peers[0] is None or off < peers[0] else "no"]


def import_torchdeq(path):
    if not os.path.isdir(os.path.join(path, "torchdeq")):
        sys.exit(f"{path}: expected a checkout of torchdeq, with a folder torchdeq in it")
    sys.path.insert(0, path)
    try:
        import torchdeq
    except ImportError as failure:
        sys.exit(f"torchdeq cannot be imported: {failure}. It needs torch and numpy.")
    return torchdeq


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    if not os.path.isfile(sys.argv[2]):
        sys.exit(f"{sys.argv[2]}: expected the program stillpoint_peer_cells")
    torchdeq = import_torchdeq(sys.argv[1])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cells = [Cell(*size) for size in SIZES]
    with tempfile.TemporaryDirectory() as directory:
        stillpoint = Stillpoint(sys.argv[2], directory)
        rows = []
        for cell in cells:
            exact = reference(cell)
            rows += [compare(torchdeq, stillpoint, cell, exact, *run) for run in RUNS]
        bare = [compare_bare(stillpoint, cell) for cell in cells]
        second = [compare_second_order(torchdeq, stillpoint, Cell(*size), measure)
                  for size in SECOND_ORDER_SIZES for measure in ("penalty", "hessian")]
        libtorch = stillpoint.ask(cells[-1], "Picard", 0, "forward")["libtorch"]
        stillpoint.program.close()
    print(f"PyTorch {torch.__version__}, LibTorch {libtorch}; pairs of numbers are Stillpoint's, torchdeq's.")
    table("Time: Stillpoint ÷ torchdeq",
          ["width x batch", "solver", "evaluations", "residual", "forward", "forward and backward",
           "with default backward", "backward products", "gradient error", "ahead"], rows)
    table("Time of f alone: called from C++ ÷ from Python", ["width x batch", "ratio"], bare)
    table("Error of second derivatives",
          ["width x batch", "what", "Stillpoint", "torchdeq, ift",
           f"torchdeq, {UNROLLED_STEPS} unrolled steps", "ahead of ift"], second)


if __name__ == "__main__":
    main()
