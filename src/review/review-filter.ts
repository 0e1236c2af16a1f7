/** Which of the changes a review shows. */

import type { ReviewStatus } from './decide-part.ts';
import type { ReviewItem } from './review-item.ts';

/** Every field that is given must fit. */
export interface ReviewFilter {
  /** Part of the path or of the old path, in any case. */
  text?: string;
  /** Only what carries a risk; with a text, a reason that holds it. */
  risk?: true | string;
  status?: ReviewStatus;
  /** Only these paths: what one tool call wrote, say. */
  paths?: ReadonlySet<string>;
}

export function matchesFilter(item: ReviewItem, status: ReviewStatus, filter: ReviewFilter): boolean {
  const { path, from } = item.change;
  if (filter.paths !== undefined && !filter.paths.has(path)) return false;
  if (filter.status !== undefined && filter.status !== status) return false;
  if (filter.risk !== undefined && !hasRisk(item, filter.risk)) return false;
  const text = filter.text?.toLowerCase() ?? '';
  return text === '' || [path, from ?? ''].some((name) => name.toLowerCase().includes(text));
}

function hasRisk({ risk, refused }: ReviewItem, wanted: true | string): boolean {
  if (wanted === true) return risk.length > 0 || refused !== undefined;
  const text = wanted.toLowerCase();
  return [...risk, refused ?? ''].some((reason) => reason.toLowerCase().includes(text));
}
