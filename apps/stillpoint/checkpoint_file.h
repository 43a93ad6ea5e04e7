#pragma once

#include <c10/core/Device.h>
#include <torch/serialize.h>

#include <exception>
#include <filesystem>
#include <string>

#include "files.h"
#include "user_error.h"

namespace stillpoint::app {

/// Writes a LibTorch archive with a checksum; on failure what was there before stays. Throws UserError.
void write_checkpoint(const std::filesystem::path& path, torch::serialize::OutputArchive& archive);

/// The archive in the bytes of a file that `write_checkpoint` wrote. Throws if they are not all there.
torch::serialize::InputArchive open_checkpoint(const std::string& file, c10::Device device);

/// Throws the UserError that a file is no checkpoint of this program.
[[noreturn]] void refuse_checkpoint(const std::filesystem::path& path);

/// What `parse` makes of the archive in a file. Throws UserError if that is not a whole checkpoint of this
/// program: `parse` then throws, too.
template <class Parse>
auto read_checkpoint(const std::filesystem::path& path, c10::Device device, const Parse& parse) {
  const auto file = read_file(path);
  try {
    auto archive = open_checkpoint(file, device);
    return parse(archive);
  } catch (const UserError&) {
    throw;
  } catch (const std::exception&) {
    refuse_checkpoint(path);
  }
}

/// A value that is there.
c10::IValue read_value(torch::serialize::InputArchive& archive, const std::string& key);

/// Which model a checkpoint is of. Throws UserError.
std::string model_of_checkpoint(const std::filesystem::path& path);

}  // namespace stillpoint::app
