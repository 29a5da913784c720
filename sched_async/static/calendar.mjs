// What the calendar gains from script: keys, an empty place that begins an appointment, and
// dragging.  All of it ends in the same links and forms that are there without it.

const DRAGGED_FROM = 5; // pixels: less is a click
const EDGE = 7; // pixels at the lower end of a block by which it is made longer
const STEP = 15; // minutes

const calendar = document.querySelector("[data-calendar]");
const days = [...document.querySelectorAll("[data-day]")];
const grid = document.querySelector(".days");
const minutesOf = (pixels) => {
  const hours = grid.querySelector(".hours");
  return (pixels / hours.clientHeight) * Number(grid.dataset.hours) * 60;
};
const snapped = (minutes) => Math.round(minutes / STEP) * STEP;
const isNarrow = () => matchMedia("(max-width: 48rem)").matches;

// The day under a pointer: its cell in a month, its column in a week.
const dayAt = (x, y) => {
  const hit = (element) => {
    const { left, right, top, bottom } = element.getBoundingClientRect();
    return x >= left && x < right && y >= top && y < bottom;
  };
  return days.find((day) => (day.matches("td") ? hit(day) : [...day.children].some(hit)));
};

// An empty place

calendar?.addEventListener("click", (event) => {
  const place = event.target;
  const isEmpty = place.matches("td, td ul, .head, .hours");
  if (!isEmpty || isNarrow()) return;
  const { day } = place.closest("[data-day]").dataset;
  let time = "09:00";
  if (place.matches(".hours")) {
    const within = minutesOf(event.clientY - place.getBoundingClientRect().top);
    const minutes = Number(grid.dataset.first) * 60 + Math.floor(within / 30) * 30;
    const two = (number) => String(number).padStart(2, "0");
    time = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  }
  const form = new URL(calendar.dataset.create, location);
  form.searchParams.set("start", `${day}T${time}`);
  location.assign(form);
});

// Dragging

// A day or a time of the form, so much later.  As UTC, where no clock changes.
const later = (value, minutes) => {
  const moment = new Date(Date.parse(value.includes("T") ? `${value}Z` : value) + minutes * 60_000);
  return moment.toISOString().slice(0, value.length);
};

// Fetches the form of the appointment, changes its times, and sends it as a person would.
const send = async (link, change) => {
  const address = new URL(link.href);
  address.pathname += "edit/";
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const form = page.querySelector("form[data-appointment]");
  if (!form) return location.assign(address);
  change(form.elements);
  address.searchParams.set("next", location.pathname + location.search);
  form.hidden = true;
  form.action = address;
  document.body.append(form);
  form.requestSubmit();
};

const drag = (entry, down) => {
  const link = entry.querySelector("a");
  const begin = dayAt(down.clientX, down.clientY);
  const isBlock = entry.matches(".block");
  const resizes = isBlock && down.clientY > entry.getBoundingClientRect().bottom - EDGE;
  const height = entry.clientHeight;
  let moved = false, shift = null;

  const move = (event) => {
    const [x, y] = [event.clientX - down.clientX, event.clientY - down.clientY];
    moved ||= Math.hypot(x, y) > DRAGGED_FROM;
    if (!moved) return;
    entry.classList.add("dragged");
    const minutes = isBlock ? snapped(minutesOf(y)) : 0;
    const pixels = isBlock ? minutes / minutesOf(1) : y;
    if (resizes) {
      entry.style.height = `${Math.max(height + pixels, 10)}px`;
      shift = minutes && { start: 0, end: minutes };
      return;
    }
    const day = dayAt(event.clientX, event.clientY) ?? begin;
    const away = Math.round((Date.parse(day.dataset.day) - Date.parse(begin.dataset.day)) / 60_000);
    entry.style.transform = `translate(${x}px, ${pixels}px)`;
    shift = (away || minutes) && { start: away + minutes, end: away + minutes };
  };
  const end = (event) => {
    for (const [name, listener] of listeners) removeEventListener(name, listener, true);
    entry.classList.remove("dragged");
    entry.style.transform = entry.style.height = "";
    if (event.type !== "pointerup" || !shift) return;
    entry.classList.add("saving");
    send(link, ({ start, end: last }) => {
      start.value = later(start.value, shift.start);
      last.value = later(last.value, shift.end);
    });
  };
  const cancel = (event) => event.key === "Escape" && end(event);
  // The click that follows would open the appointment.
  const swallow = (event) => moved && event.preventDefault();
  link.addEventListener("click", swallow, { once: true });
  const listeners = [["pointermove", move], ["pointerup", end], ["pointercancel", end], ["keydown", cancel]];
  for (const [name, listener] of listeners) addEventListener(name, listener, true);
};

calendar?.addEventListener("pointerdown", (event) => {
  const entry = event.target.closest(":is(.timed, .bar, .block:not(.extra)):not(.fixed)");
  if (entry && event.button === 0 && event.pointerType === "mouse" && !isNarrow()) drag(entry, event);
});
calendar?.addEventListener("dragstart", (event) => event.preventDefault());

// Keys

const help = document.querySelector("dialog.keys");
const wanted = help?.querySelector("input");
const OFF = "calendar-keys-off";
if (wanted) {
  wanted.checked = !localStorage.getItem(OFF);
  wanted.addEventListener("change", () =>
    wanted.checked ? localStorage.removeItem(OFF) : localStorage.setItem(OFF, "1"));
}
const press = (selector) => document.querySelector(selector)?.click();
const step = (by) => {
  const here = document.activeElement.closest("[data-day]");
  const at = here ? days.indexOf(here) + by : days.findIndex((day) => day.querySelector("[aria-current=date]"));
  const link = days[at < 0 && !here ? 0 : at]?.querySelector("a:not(.pick)");
  if (link) link.focus();
  else press(by > 0 ? "[rel=next]" : "[rel=prev]");
};
const KEYS = {
  t: () => press(".stepper [data-today]"),
  n: () => press(".tools .new"),
  "/": () => document.querySelector(".find [type=search]").focus(),
  "?": () => help.showModal(),
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  ArrowUp: () => step(document.querySelector(".month") ? -7 : -1),
  ArrowDown: () => step(document.querySelector(".month") ? 7 : 1),
};
addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, dialog");
  const isOff = localStorage.getItem(OFF) && event.key !== "?";
  if (isTyping || isOff || event.ctrlKey || event.altKey || event.metaKey || !KEYS[event.key]) return;
  if (event.key.startsWith("Arrow") && !event.target.closest("[data-day]") && event.target !== document.body) return;
  event.preventDefault();
  KEYS[event.key]();
});
document.querySelector(".show-keys")?.addEventListener("click", () => help.showModal());
document.querySelector(".show-keys")?.removeAttribute("hidden");
