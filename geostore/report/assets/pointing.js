"use strict";
// What a reader points at: a tooltip beside it, and where a click or Enter leads to its row.

const REACH = 14; // px; how near a small mark has to be

/**
 * Shows what `describe(index)` says of the mark under the pointer. Marks stand in groups of the class
 * `datum`, and Plot keeps the index of its row with each. With `open`, a click or Enter calls it, and
 * the keys N and P go from mark to mark, for which `reveal(node)` brings a mark into view.
 * `light(index)` draws the mark's row anew, on top.
 */
function pointing(holder, svg, { describe, light, open, reveal }) {
  const tip = element("div", { class: "tip", role: "status", hidden: true });
  holder.append(tip);
  let current = null;
  let touched = null;

  const marks = () => [...svg.querySelectorAll(".datum > *")];
  const indexOf = (node) => (typeof node.__data__ === "number" ? node.__data__ : node.__data__?.index);

  const show = (index, x, y) => {
    if (index !== current) {
      current = index;
      tip.replaceChildren(...describe(index));
      light?.(index);
    }
    tip.hidden = false;
    const { width, height } = holder.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(x + 12, width - tip.offsetWidth))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight > height ? y - tip.offsetHeight - 10 : y + 18}px`;
  };
  const hide = () => {
    current = null;
    tip.hidden = true;
    light?.(null);
  };

  const near = (event) => {
    if (event.target.closest?.(".datum")) return indexOf(event.target);
    let best = null;
    let least = REACH;
    for (const node of marks()) {
      if (node.tagName !== "circle" && !node.getAttribute("transform")) continue;
      const box = node.getBoundingClientRect();
      const distance = Math.hypot(
        event.clientX - (box.left + box.right) / 2,
        event.clientY - (box.top + box.bottom) / 2,
      );
      if (distance < least) [best, least] = [indexOf(node), distance];
    }
    return best;
  };
  const inside = (event) => {
    const box = holder.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  svg.addEventListener("pointermove", (event) => {
    if (event.buttons) return hide();
    const index = near(event);
    if (index === null || index === undefined) hide();
    else show(index, ...inside(event));
    svg.classList.toggle("pointed", current !== null);
  });
  svg.addEventListener("pointerleave", hide);
  if (!open) return { step: () => {}, hide };

  svg.addEventListener("click", (event) => {
    if (svg.classList.contains("dragged")) return;
    const index = near(event);
    if (index === null || index === undefined) return;
    // A finger cannot point without a touch: its first shows the tooltip, its second opens the row.
    if (event.pointerType === "touch" && touched !== index) {
      touched = index;
      show(index, ...inside(event));
    } else {
      open(index);
    }
  });
  /** Goes to the next or previous row that is drawn. */
  const step = (by) => {
    const drawn = [...new Set(marks().map(indexOf))].sort((a, b) => a - b);
    if (!drawn.length) return;
    const at = current === null ? (by > 0 ? -1 : drawn.length) : drawn.indexOf(current);
    const index = drawn[(at + by + drawn.length) % drawn.length];
    const own = marks().filter((node) => indexOf(node) === index);
    // A line's middle may be far from both its ends.
    const node = own.find((one) => one.matches(".truth > *")) ?? own[0];
    reveal?.(node);
    const box = node.getBoundingClientRect();
    const around = holder.getBoundingClientRect();
    show(index, box.left - around.left + box.width / 2, box.top - around.top + box.height / 2);
  };
  holder.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target !== holder) return;
    const key = event.key.toLowerCase();
    if (key === "n") step(1);
    else if (key === "p") step(-1);
    else if (key === "enter" && current !== null) open(current);
    else if (key === "escape") hide();
    else return;
    event.preventDefault();
  });
  holder.addEventListener("blur", hide);
  return { step, hide };
}
