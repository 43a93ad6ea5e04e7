#include "studies.h"

#include <algorithm>

#include "adversarial_study.h"
#include "bilevel_study.h"
#include "experiment.h"
#include "flow_study.h"
#include "hypernewton_study.h"
#include "maml_study.h"
#include "run_parts.h"
#include "trpo_study.h"

namespace stillpoint::app {

const std::vector<Study>& studies() {
  static const std::vector<Study> all{adversarial_study(), maml_study(), trpo_study(),
                                      bilevel_study(),     flow_study(), hypernewton_study()};
  return all;
}

const Study* find_study(const std::string& name) {
  const auto found = std::ranges::find(studies(), name, &Study::name);
  return found == studies().end() ? nullptr : &*found;
}

std::vector<std::string> model_names() {
  auto names = experiment_names();
  std::ranges::copy(names_of(studies()), std::back_inserter(names));
  return names;
}

}  // namespace stillpoint::app
