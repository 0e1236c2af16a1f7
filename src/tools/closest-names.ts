/** Which names a mistyped one may have meant. */

/** At most `count` names, nearest first; none that has little in common with the wanted one. */
export function closestNames(wanted: string, names: Iterable<string>, count = 3): string[] {
  const target = wanted.slice(0, 100).toLowerCase();
  const scored: { name: string; distance: number }[] = [];
  for (const name of names) {
    const candidate = name.slice(0, 100).toLowerCase();
    const isPart = target.length > 2 && (candidate.includes(target) || target.includes(candidate));
    const distance = isPart ? 1 : editDistance(target, candidate);
    const most = Math.max(2, Math.floor(Math.max(target.length, candidate.length) / 2.5));
    if (distance <= most) scored.push({ name, distance });
  }
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  return scored.slice(0, count).map((entry) => entry.name);
}

/** Levenshtein's distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
