"""The list of lessons: the one place that knows their numbers, names and titles."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lesson:
    """One lesson: `number` orders it, `name` is its package and file name, `title` is what a reader sees."""

    number: int
    name: str
    title: str

    @property
    def stem(self) -> str:
        """The notebook's file name without its ending, the same in notebooks/, exercises/ and solutions/."""
        return f"{self.number:02d}_{self.name}"


LESSONS: tuple[Lesson, ...] = (
    Lesson(0, "start_here", "Start here"),
    Lesson(1, "event_driven", "Event-driven architecture"),
    Lesson(2, "stream_processing", "Scalable stream processing"),
    Lesson(3, "fault_tolerance", "Fault tolerance"),
    Lesson(4, "high_availability", "High availability"),
)
