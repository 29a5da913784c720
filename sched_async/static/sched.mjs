// What pages gain from script. Each part stands alone, and every page works without.

const zone = document.querySelector("[data-browser-zone]");
if (zone && zone.value === zone.defaultValue && zone.value === "UTC") {
  zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

const appointment = document.querySelector("form[data-appointment]");
if (appointment) {
  const { start, end, allday } = appointment.elements;
  let before = start.value;

  // As UTC, since only the difference counts, and no clock changes in UTC.  A date alone is UTC.
  const read = (value) => Date.parse(value.includes("T") ? `${value}Z` : value);

  const isInRange = ({ value, validity }) =>
    value && !validity.rangeUnderflow && !validity.rangeOverflow;

  // The end moves along with the start, so that the appointment stays as long as it was.
  // Half a year, or one of six digits, is not followed; the length stays that of before.
  start.addEventListener("change", () => {
    if (!isInRange(start)) return;
    const moment = read(end.value) + read(start.value) - read(before);
    if (isInRange(end) && !Number.isNaN(moment)) {
      end.value = new Date(moment).toISOString().slice(0, allday.checked ? 10 : 16);
    }
    before = start.value;
  });

  // The rule in words, which the server finds; nothing that was typed is sent but this.
  const summary = appointment.querySelector("[data-summary]");
  const repeat = appointment.querySelector(".repeat");
  let asked;
  const summarize = async () => {
    const names = [...repeat.elements].map(({ name }) => name).concat("start", "allday");
    const form = new FormData(appointment);
    const said = new URLSearchParams();
    for (const name of names) if (form.has(name)) said.set(name, form.getAll(name).join());
    asked?.abort();
    asked = new AbortController();
    const address = `${appointment.dataset.appointment}?${said}`;
    const answer = await fetch(address, { signal: asked.signal });
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    summary.replaceChildren(...page.querySelector("[data-summary]").childNodes);
  };
  for (const part of [repeat, start, allday]) {
    part.addEventListener("change", () => summarize().catch(() => {}));
  }

  // Whole days have no times, but keep them in case the box is unticked again.
  const times = new Map([[start, "09:00"], [end, "10:00"]]);
  const move = (day, days) =>
    new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
  allday.addEventListener("change", () => {
    const first = start.value.slice(0, 10);
    for (const field of [start, end]) {
      let [day, time] = field.value.split("T");
      if (time) times.set(field, time);
      // What ends at midnight has the day before as its last day.
      const untilMidnight = field === end && times.get(end) === "00:00" && isInRange(end);
      if (untilMidnight && !allday.checked) day = move(day, 1);
      if (untilMidnight && allday.checked && day > first) day = move(day, -1);
      for (const [bound, clock] of [["min", "00:00"], ["max", "23:59"]]) {
        const [date] = field[bound].split("T");
        field[bound] = allday.checked ? date : `${date}T${clock}`;
      }
      field.value = ""; // a date and time is no date: browsers complain of it
      field.type = allday.checked ? "date" : "datetime-local";
      field.value = day && !allday.checked ? `${day}T${times.get(field)}` : day;
    }
    before = start.value;
  });
}
