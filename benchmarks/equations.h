#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "stillpoint/stillpoint.h"

/// An equation that is measured.
struct Equation {
  std::string name;
  stillpoint::ode::VectorField f;
  torch::Tensor y0;
  stillpoint::ode::Times t;
  std::vector<torch::Tensor> parameters = {};
  stillpoint::OdeintOptions options = {};

  stillpoint::ode::Solution<torch::Tensor> solve() const { return stillpoint::odeint(f, y0, t, options); }
};

/// The network of torchdiffeq's example, on the cubes of the state; ten outputs.
Equation spiral_net();
Equation true_spiral();
Equation wide_net();
Equation lotka_volterra();
/// A continuous normalizing flow: beside the point its log-density, by the exact trace of a net 2-64-64-2.
Equation flow();
Equation van_der_pol(stillpoint::ode::Steps steps);
torch::Tensor van_der_pol_slope(const torch::Tensor& y, const torch::Tensor& mu);
