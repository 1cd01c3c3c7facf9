// Loads the next twenty whenever the end of the list comes near the viewport.

import { ask, toast } from "./shop.js";

const find = (id) => document.getElementById(id);
const feed = find("feed");
const end = find("feed-end");
let loading = false;

async function more() {
  if (loading) return;
  loading = true;
  try {
    const { entries, total } = await ask(`/api/feed?after=${feed.children.length}`);
    for (const { number, text } of entries) {
      const item = document.createElement("li");
      item.id = item.dataset.testid = `entry-${number}`;
      const label = document.createElement("b");
      label.textContent = number;
      item.append(label, text);
      feed.append(item);
    }
    find("feed-count").textContent = `${feed.children.length} of ${total}`;
    if (feed.children.length >= total) {
      watch.disconnect();
      end.textContent = "That is all";
    } else {
      watch.unobserve(end); // observing anew reports at once when the end is still in view after these twenty
      watch.observe(end);
    }
  } catch (error) {
    toast(error.message);
  } finally {
    loading = false;
  }
}

const watch = new IntersectionObserver((seen) => {
  if (seen.some((entry) => entry.isIntersecting)) more();
});
watch.observe(end);
