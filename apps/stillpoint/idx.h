#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>

namespace stillpoint::app {

/// Reads a file of unsigned bytes in the IDX format of the MNIST database, gzipped or not: a tensor of bytes
/// with `dimensions` dimensions, none of them empty. Throws UserError if it is anything else, cut short, or
/// longer than its header says. (LeCun, Cortes, Burges, "The MNIST database", 1998.)
at::Tensor read_idx(const std::filesystem::path& path, std::int64_t dimensions);

}  // namespace stillpoint::app
