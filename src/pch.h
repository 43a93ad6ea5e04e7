#pragma once

// Precompiled for the library's own sources; each of them still includes what it uses.
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/autograd/function.h>
#include <torch/nn/cloneable.h>
#include <torch/nn/modules/container/any.h>
#include <torch/types.h>
