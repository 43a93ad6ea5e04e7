#pragma once

#include <torch/torch.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

/// Answers requests until standard input ends, on one thread. Each is a line of JSON, as is each answer.
/// Returns the exit status.
inline int answer_requests(const std::function<nlohmann::json(const nlohmann::json& request)>& answer) {
  const char* blas_threads = std::getenv("OPENBLAS_NUM_THREADS");
  if (blas_threads == nullptr || std::string(blas_threads) != "1") {
    std::fprintf(stderr, "set OPENBLAS_NUM_THREADS=1: the comparison is on one thread\n");
    return 2;
  }
  at::set_num_threads(1);
  for (std::string line; std::getline(std::cin, line);) {
    try {
      std::cout << answer(nlohmann::json::parse(line)) << std::endl;  // flushed: the other side waits for it
    } catch (const std::exception& error) {
      std::cout << nlohmann::json{{"error", error.what()}} << std::endl;
    }
  }
  return 0;
}
