"""Compares Stillpoint's odeint with torchdiffeq (https://github.com/rtqichen/torchdiffeq) and torchode
(https://github.com/martenlienen/torchode) and prints Markdown tables.

    python3 odes_compare.py PATH_OF_stillpoint_peer_odes PATH_OF_TORCHDIFFEQ [PATH_OF_TORCHODE...]

Needs torch, scipy (which torchdiffeq imports) and checkouts; torchode needs torchtyping as well, whose path may follow.
Takes a few minutes. docs/benchmarks.md, "Compared with torchdiffeq and torchode", says what is measured.
"""

import os
import sys

# Both sides on one thread; before torch is imported, and inherited by the other side.
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"
sys.dont_write_bytecode = True  # leaves the checkouts as they are

import torch  # noqa: E402

from turns import Program, median_ratios, progress, seconds, table, times_faster  # noqa: E402

TOLERANCES = {torch.float32: (1e-4, 1e-6), torch.float64: (1e-6, 1e-8)}  # relative, absolute
EXACT = dict(method="dopri8", rtol=1e-10, atol=1e-12)  # in double
# How many times faster than torchdiffeq Stillpoint is to be: forward, with a gradient, by the continuous adjoint.
BUDGETS = {
    "spiral net": (5, 2.5, 10),
    "true spiral": (13, None, 20),
    "MLP": (1, 1, None),
    "Lotka-Volterra": (3.5, 2, None),
    "CNF": (1, 1, None),
    "Van der Pol, B 256, steps joint": (4, None, None),
    "Van der Pol, B 256, steps per sample": (1, None, None),  # than torchode
}


def mlp(weights, y):
    for i in range(0, len(weights), 2):
        y = torch.addmm(weights[i + 1], y, weights[i])
        if i + 2 < len(weights):
            y = torch.tanh(y)
    return y


def lotka_volterra(p, y):
    prey, predators = y[:, 0], y[:, 1]
    met = prey * predators
    return torch.stack([p[0][0] * prey - p[0][1] * met, p[0][3] * met - p[0][2] * predators], 1)


def flow(w, state):
    first = torch.tanh(torch.addmm(w[1], state[:, :2], w[0]))
    second = torch.tanh(torch.addmm(w[3], first, w[2]))
    slope_1, slope_2 = 1 - first * first, 1 - second * second
    trace = torch.zeros(state.shape[0], 1, dtype=state.dtype)
    for i in range(2):
        along = torch.mm(slope_1 * w[0][i], w[2]) * slope_2
        trace = trace + torch.mv(along, w[4][:, i]).unsqueeze(1)
    return torch.cat([torch.addmm(w[5], second, w[4]), -trace], 1)


def van_der_pol(p, y):
    x, v = y[:, :1], y[:, 1:]
    return torch.cat([v, p[0] * (1 - x * x) * v - x], 1)


# In the order of the program.
SLOPES = [
    lambda p, y: mlp(p, y**3),
    lambda p, y: torch.mm(y**3, p[0]),
    lambda p, y: torch.tanh(mlp(p, y)),
    lotka_volterra,
    flow,
    van_der_pol,
    van_der_pol,
]


def tensor(data, dtype=None):
    own = torch.float64 if data["is_double"] else torch.float32
    return torch.tensor(data["numbers"], dtype=torch.float64).view(data["shape"]).to(dtype or own)


class Equation:
    def __init__(self, program, number):
        data = program.ask({"equation": number, "measure": "data"})
        self.program, self.number, self.slope, self.data = program, number, SLOPES[number], data
        self.name, self.per_sample = data["name"], data["per_sample"]
        self.y0, self.parameters = tensor(data["y0"]), [tensor(p).requires_grad_() for p in data["parameters"]]
        self.t = tensor(data["t"]).to(self.y0.dtype)
        self.relative, self.absolute = TOLERANCES[self.y0.dtype]
        self.evaluations, self.control = 0, "default"

    def __call__(self, t, y):
        self.evaluations += 1
        return self.slope(self.parameters, y)

    def ask(self, measure, repeats=1, **more):
        return self.program.ask({"equation": self.number, "measure": measure, "repeats": repeats,
                                 "relative": self.relative, "absolute": self.absolute,
                                 "control": self.control, **more})

    def ours(self, measure, **more):
        return lambda repeats: self.ask(measure, repeats, **more)["seconds"] / repeats

    def exact(self, torchdiffeq):
        """The value at the last time and the gradient of the sum, in double."""
        parameters = [tensor(p, torch.float64).requires_grad_() for p in self.data["parameters"]]
        y0 = self.y0.double()
        # One grid for all times would be a solve of its own for each; the sum over outputs needs them all.
        y = torchdiffeq.odeint(lambda t, s: self.slope(parameters, s), y0, tensor(self.data["t"]), **EXACT)
        return y[-1].detach(), flat(torch.autograd.grad(y.sum(), parameters))


def flat(tensors):
    return torch.cat([one.detach().reshape(-1).double() for one in tensors])


def error(found, exact):
    return ((torch.as_tensor(found, dtype=torch.float64).reshape(-1) - exact.reshape(-1)).norm() /
            exact.norm()).item()


def worst_sample(error):
    """The norm of Stillpoint's joint steps. torchdiffeq's own is the root mean square over the batch."""
    return error.flatten(1).square().mean(1).sqrt().max()


class TorchDiffEq:
    def __init__(self, torchdiffeq, equation, norm=None):
        self.name = "torchdiffeq" + ("" if norm is None else ", same norm and control")
        self.control = "default" if norm is None else "integral"
        self.torchdiffeq, self.equation = torchdiffeq, equation
        self.options = dict(method="dopri5", rtol=equation.relative, atol=equation.absolute,
                            options={} if norm is None else {"norm": norm})

    def forward(self):
        with torch.no_grad():
            return self.torchdiffeq.odeint(self.equation, self.equation.y0, self.equation.t, **self.options)

    def gradient(self):
        y = self.torchdiffeq.odeint(self.equation, self.equation.y0, self.equation.t, **self.options)
        return torch.autograd.grad(y.sum(), self.equation.parameters)

    def adjoint(self):
        y = self.torchdiffeq.odeint_adjoint(
            self.equation, self.equation.y0, self.equation.t,
            adjoint_params=tuple(self.equation.parameters), **self.options)
        return torch.autograd.grad(y.sum(), self.equation.parameters)


class TorchOde:
    name, control = "torchode", "integral"

    def __init__(self, torchode, equation):
        self.equation = equation
        term = torchode.ODETerm(equation)
        controller = torchode.IntegralController(atol=equation.absolute, rtol=equation.relative, term=term)
        self.solver = torchode.AutoDiffAdjoint(torchode.Dopri5(term=term), controller)
        batch = equation.y0.shape[0]
        self.problem = torchode.InitialValueProblem(y0=equation.y0, t_eval=equation.t.expand(batch, -1).contiguous())

    def forward(self):
        with torch.no_grad():
            return self.solver.solve(self.problem).ys.transpose(0, 1)


def compare(equation, peer, exact):
    progress(f"{equation.name}, {peer.name}")
    budgets = next(budget for name, budget in BUDGETS.items() if equation.name.startswith(name))
    if peer.control == "default":
        budgets = (None, None, None)
    exact_value, exact_gradient = exact
    equation.control = peer.control
    ours = equation.ask("forward")
    equation.evaluations = 0
    value_error = f"{error(ours['value'], exact_value):.0e}, {error(peer.forward()[-1], exact_value):.0e}"
    evaluations = f"{ours['evaluations']}, {equation.evaluations}"
    times = []
    errors = []
    for measure, budget in zip(("forward", "gradient", "adjoint"), budgets):
        work = getattr(peer, measure, None)
        # The continuous adjoints of Van der Pol's equation run away, backwards in time.
        if work is None or (equation.name.startswith("Van der Pol") and measure == "adjoint"):
            times.append("–")
            continue
        if measure != "forward":
            gradients = equation.ask(measure)["gradient"], flat(work())
            errors.append(", ".join(f"{error(one, exact_gradient):.0e}" for one in gradients))
        ratio = median_ratios([equation.ours(measure)], lambda repeats: seconds(work, repeats))[0]
        times.append(times_faster(ratio, budget))
    return [equation.name, peer.name, evaluations, *times, value_error, *errors, *["–"] * (2 - len(errors))]


def compare_bare(equation):
    """How much of the ratios is due to calling f from Python rather than from C++."""
    progress(f"{equation.name}, f alone")
    evaluations = 100

    def work():
        for _ in range(evaluations):
            equation(None, equation.y0)

    def theirs(repeats):
        with torch.no_grad():
            return seconds(work, repeats)

    ratio = median_ratios([equation.ours("bare", evaluations=evaluations)], theirs)[0]
    return [equation.name, f"{1 / ratio:.1f}"]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if not os.path.isfile(sys.argv[1]):
        sys.exit(f"{sys.argv[1]}: expected the program stillpoint_peer_odes")
    sys.path[:0] = sys.argv[2:]
    import torchdiffeq
    torchode = None
    if len(sys.argv) > 3:
        import torchode
    torch.set_num_threads(1)
    program = Program(sys.argv[1])
    equations = [Equation(program, number) for number in range(len(SLOPES))]
    rows = []
    for equation in equations:
        exact = equation.exact(torchdiffeq)
        if not equation.per_sample:
            rows.append(compare(equation, TorchDiffEq(torchdiffeq, equation, worst_sample), exact))
            rows.append(compare(equation, TorchDiffEq(torchdiffeq, equation), exact))
        elif torchode is not None:
            rows.append(compare(equation, TorchOde(torchode, equation), exact))
    bare = [compare_bare(equation) for equation in equations[:-1]]
    libtorch = equations[0].ask("forward")["libtorch"]
    program.close()
    print(f"PyTorch {torch.__version__}, LibTorch {libtorch}; pairs of numbers are Stillpoint's and the other's.")
    table("How many times faster Stillpoint is",
          ["equation", "than", "evaluations", "forward", "with gradient", "continuous adjoint", "error of value",
           "of gradient", "of adjoint"], rows)
    table("How many times faster f alone is, called from C++", ["equation", "times"], bare)


if __name__ == "__main__":
    main()
