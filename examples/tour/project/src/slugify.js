/** Turns a title into lower-case words joined by hyphens. */
export function slugify(title) {
  return title
    .toLowerCase()
    .replace(/[^a-z0-9 ]/g, '')
    .replace(' ', '-');
}
