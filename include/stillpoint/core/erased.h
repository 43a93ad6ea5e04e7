#pragma once

#include <any>
#include <string>
#include <typeinfo>
#include <utility>

namespace stillpoint {
namespace detail {

/// What a type is called in reports: its name without its namespaces.
std::string type_name(const std::type_info& type);

}  // namespace detail

template <class Signature>
class Erased;

/// Holds a value of any type that offers a certain function, and calls it: what solvers, linear solvers and
/// gradient rules have in common, the library's and the user's own.
template <class Result, class... Arguments>
class Erased<Result(Arguments...)> {
 public:
  /// The held type's own name, as reports have it.
  const std::string& name() const { return *name_; }
  /// The held value if it is a T, else null.
  template <class T>
  const T* target() const {
    return std::any_cast<T>(&held_);
  }

 protected:
  /// `call` takes the held value and the arguments, and captures nothing.
  template <class T, class Call>
  Erased(T held, Call /*call*/)
      : held_(std::move(held)),
        name_(&name_of<T>()),
        call_([](const std::any& any, Arguments... arguments) -> Result {
          return Call{}(std::any_cast<const T&>(any), std::forward<Arguments>(arguments)...);
        }) {}

  Result call(Arguments... arguments) const { return call_(held_, std::forward<Arguments>(arguments)...); }

 private:
  template <class T>
  static const std::string& name_of() {
    static const std::string name = detail::type_name(typeid(T));
    return name;
  }

  std::any held_;
  const std::string* name_;
  Result (*call_)(const std::any&, Arguments...);
};

}  // namespace stillpoint
