#include "stillpoint/core/solution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/compare.h"
#include "support/warnings.h"

namespace stillpoint::test {
namespace {

Stats mixed() {
  Stats stats;
  stats.method = "Picard";
  stats.status = {Status::Converged, Status::MaxIterations, Status::NonFinite};
  stats.residual = {1e-7, 0.125, NAN};
  stats.iterations = {3, 20, 4};
  stats.evaluations = 21;
  stats.jacobian_products = 17;
  return stats;
}

Stats good() {
  Stats stats = mixed();
  stats.status = {Status::Converged, Status::Converged, Status::Converged};
  stats.residual = {1e-7, 3e-7, 2e-7};
  return stats;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(Stats, AdviceOfWhoSolvedIsInTheWarningAndInTheFullReport) {
  Stats stats = mixed();
  stats.advice = [](Status status) { return status == Status::MaxIterations ? "run on" : "look at it"; };
  const std::string full = stats.full();
  EXPECT_TRUE(holds(full, "run on")) << full;
  EXPECT_TRUE(holds(full, "look at it")) << full;
  const WarningRecorder warnings;
  report_failure(stats, OnFailure::Warn);
  ASSERT_EQ(warnings.messages().size(), 1u);
  EXPECT_TRUE(holds(warnings.messages()[0], "; run on")) << warnings.messages()[0];
  EXPECT_FALSE(holds(warnings.messages()[0], "\n"));
}

TEST(Stats, SumsUp) {
  EXPECT_FALSE(mixed().converged());
  EXPECT_TRUE(good().converged());
  EXPECT_EQ(mixed().count(Status::Converged), 1);
  EXPECT_EQ(mixed().count(Status::MaxIterations), 1);
  EXPECT_EQ(mixed().count(Status::NonFinite), 1);
  EXPECT_EQ(good().count(Status::Converged), 3);
  EXPECT_DOUBLE_EQ(good().max_residual(), 3e-7);
  EXPECT_TRUE(std::isnan(mixed().max_residual()));
  EXPECT_DOUBLE_EQ(mixed().mean_iterations(), 9.0);
}

TEST(Stats, AnEmptyBatchHasConverged) {
  const Stats empty;
  EXPECT_TRUE(empty.converged());
  EXPECT_EQ(empty.count(Status::Converged), 0);
  EXPECT_EQ(empty.max_residual(), 0.0);
  EXPECT_EQ(empty.mean_iterations(), 0.0);
  EXPECT_FALSE(empty.brief().empty());
  EXPECT_FALSE(empty.full().empty());
}

TEST(Stats, StatusesHaveNames) {
  EXPECT_STREQ(to_string(Status::Converged), "converged");
  EXPECT_STREQ(to_string(Status::MaxIterations), "max iterations");
  EXPECT_STREQ(to_string(Status::NonFinite), "non-finite");
}

TEST(Stats, BriefIsOneLineWithTheMainNumbers) {
  const std::string brief = good().brief();
  EXPECT_EQ(std::count(brief.begin(), brief.end(), '\n'), 0);
  for (const char* part : {"Picard", "3 of 3", "converged", "3e-07", "20"}) {
    EXPECT_TRUE(holds(brief, part)) << part << " is missing from: " << brief;
  }
  EXPECT_TRUE(holds(mixed().brief(), "1 of 3"));
}

TEST(Stats, FullNamesTheFailedSamplesAndTheBackwardPass) {
  Stats stats = mixed();
  stats.backward = std::make_shared<Stats>(good());
  stats.backward->method = "Gmres";
  const std::string full = stats.full();
  EXPECT_GT(std::count(full.begin(), full.end(), '\n'), 1);
  for (const char* part :
       {"Picard", "21", "17", "max iterations", "#1", "0.125", "non-finite", "#2", "Gmres"}) {
    EXPECT_TRUE(holds(full, part)) << part << " is missing from: " << full;
  }
  EXPECT_FALSE(holds(full, "#0")) << full;
  EXPECT_FALSE(holds(good().full(), "#")) << good().full();
}

TEST(Stats, ABackwardPassThatHasNotRunIsNotPrinted) {
  Stats stats = good();
  stats.backward = std::make_shared<Stats>();
  EXPECT_FALSE(holds(stats.full(), "backward")) << stats.full();
}

TEST(Stats, ManyFailuresAreNotAllListed) {
  Stats stats;
  stats.method = "Picard";
  stats.status.assign(1000, Status::MaxIterations);
  stats.residual.assign(1000, 1.0);
  stats.iterations.assign(1000, 5);
  EXPECT_LT(stats.full().size(), 1000u);
  EXPECT_TRUE(holds(stats.full(), "1000"));
}

TEST(ReportFailure, ThrowsWithTheFullReport) {
  const std::string message = error_of([] { report_failure(mixed(), OnFailure::Throw); });
  EXPECT_TRUE(holds(message, mixed().full())) << message;
}

TEST(ReportFailure, WarnsWithTheBriefReport) {
  const WarningRecorder warnings;
  report_failure(mixed(), OnFailure::Warn);
  ASSERT_EQ(warnings.messages().size(), 1u);
  EXPECT_TRUE(holds(warnings.messages()[0], mixed().brief())) << warnings.messages()[0];
}

TEST(ReportFailure, IgnoresWhenTold) {
  const WarningRecorder warnings;
  report_failure(mixed(), OnFailure::Ignore);
  EXPECT_TRUE(warnings.messages().empty());
}

TEST(ReportFailure, SaysNothingOfSuccess) {
  const WarningRecorder warnings;
  for (const auto choice : {OnFailure::Throw, OnFailure::Warn, OnFailure::Ignore})
    report_failure(good(), choice);
  EXPECT_TRUE(warnings.messages().empty());
}

}  // namespace
}  // namespace stillpoint::test
