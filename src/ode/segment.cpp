#include "ode/segment.h"

#include <algorithm>
#include <utility>

namespace stillpoint::detail {
namespace {

class Cut {
 public:
  Cut(const std::vector<MeshStep>& steps, const Schedule& schedule, std::size_t clock)
      : steps_(steps), schedule_(schedule), clock_(clock) {}

  // `fails`: no sample of the clock came to its last output or to a terminal event.
  std::vector<Segment> into_segments(bool fails) {
    for (std::size_t number = 0; number < steps_.size(); ++number) cut_after(number);
    if (fails) {
      end_at(Segment::End::Fail, steps_.size(), schedule_.outputs() - 1);
    } else if (now_.first < steps_.size() || segments_.empty()) {
      end_at(Segment::End::Last, steps_.size(), schedule_.outputs() - 1);
    }
    return std::move(segments_);
  }

 private:
  void cut_after(std::size_t number) {
    const MeshStep& step = steps_[number];
    if (step.event) {
      now_.event = step.event->event;
      now_.happened = happened_++;
      now_.time = step.event->time;
      now_.end = Segment::End::Event;
      now_.last = number + 1;
      segments_.push_back(now_);
      now_ = {.first = number + 1,
              .start = {.from = Place::kEvent, .to = step.end.to, .event = step.event->time}};
    } else if (step.end.fraction == 1.0 && schedule_.is_jump(step.end.to)) {
      end_at(Segment::End::Jump, number + 1, step.end.to);
    }
  }

  void end_at(Segment::End end, std::size_t last, std::int64_t column) {
    now_.end = end;
    now_.last = last;
    now_.column = column;
    now_.time = schedule_.time(clock_, column);
    segments_.push_back(now_);
    now_ = {.first = last, .start = {.from = column, .to = column}};
  }

  const std::vector<MeshStep>& steps_;
  const Schedule& schedule_;
  std::size_t clock_;
  std::int64_t happened_ = 0;
  Segment now_;
  std::vector<Segment> segments_;
};

}  // namespace

Segments segments_of(const Mesh& mesh, const Schedule& schedule, const ode::Stats& stats) {
  Segments all;
  std::size_t most = 0;
  for (std::size_t n = 0; n < mesh.clocks.size(); ++n) {
    bool fails = true;
    for (std::size_t b = 0; b < stats.status.size(); ++b) {
      if (mesh.clock_of(b) == n)
        fails &= stats.status[b] != ode::Status::Finished && stats.status[b] != ode::Status::Event;
    }
    all.push_back(Cut(mesh.clocks[n], schedule, n).into_segments(fails));
    most = std::max(most, all.back().size());
  }
  for (auto& segments : all) {
    const Segment& end = segments.back();
    segments.resize(most, {.first = end.last, .last = end.last, .time = end.time});
  }
  return all;
}

}  // namespace stillpoint::detail
