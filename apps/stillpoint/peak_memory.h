#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <functional>

namespace stillpoint::app {

/// The most bytes of tensors on `device` that lived at one time while `work` ran, beyond those that lived
/// before: exact, from LibTorch's own report of each allocation, the backward pass's threads included.
std::int64_t peak_tensor_bytes(c10::Device device, const std::function<void()>& work);

}  // namespace stillpoint::app
