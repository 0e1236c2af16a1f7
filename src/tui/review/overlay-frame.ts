/** What lies over the review, drawn into a frame. */
import { cutTo, type Span, textWidth, toSpans } from './cells.ts';
import type { Overlay } from './overlay.ts';
import type { FrameRow } from './terminal.ts';
import type { ReviewView } from './view.ts';

/** The frame with the overlay on it, in the middle; the frame itself when there is none. */
export function overlayFrame(view: ReviewView, frame: readonly FrameRow[]): FrameRow[] {
  const { overlay } = view;
  if (overlay === undefined) return [...frame];
  const most = view.columns - 4;
  const lines = overlayLines(overlay, most - 4, view.rows - 6);
  const widest = Math.max(textWidth(overlay.title) + 4, ...lines.map(widthOf), 30);
  const inner = Math.min(most - 4, widest);
  const width = inner + 4;
  const column = Math.floor((view.columns - width) / 2);
  const box = [
    edge('┌', ` ${overlay.title} `, '┐', width),
    ...lines.map((line) => [side('│ '), ...cutTo(line, inner), side(' │')]),
    edge('└', closing(overlay), '┘', width),
  ];
  const top = Math.max(1, Math.floor((view.rows - box.length) / 2));
  return frame.map((row, at) => {
    const line = box[at - top];
    return line === undefined ? row : [...row, { column, spans: line }];
  });
}

function overlayLines(overlay: Overlay, width: number, height: number): Span[][] {
  if (overlay.kind === 'list') {
    const top = Math.max(
      0,
      Math.min(overlay.cursor - Math.floor(height / 2), overlay.entries.length - height),
    );
    return overlay.entries.slice(top, top + height).map((entry, at) => {
      const isCursor = top + at === overlay.cursor;
      return cutTo(
        toSpans(`${isCursor ? '▌' : ' '} ${entry}`, isCursor ? { bold: true, bg: 'cursor' } : {})[0],
        width,
        isCursor ? { bg: 'cursor' } : {},
      );
    });
  }
  const choices = overlay.choices.map(({ key, text }): Span[] => [
    { text: `  ${key}`, look: { fg: 'accent', bold: true } },
    { text: `  ${text}`, look: {} },
  ]);
  const lines = overlay.lines.map((line) => toSpans(line, {})[0]);
  if (overlay.kind === 'question') return [...lines, ...(lines.length > 0 ? [[]] : []), ...choices];
  const room = Math.max(1, height - choices.length - (choices.length > 0 ? 1 : 0));
  const top = Math.max(0, Math.min(overlay.top, lines.length - room));
  const shown = lines.slice(top, top + room);
  return choices.length > 0 ? [...shown, [], ...choices] : shown;
}

function closing(overlay: Overlay): string {
  if (overlay.kind === 'list') return ' enter choose  esc back ';
  if (overlay.kind === 'question') return ' esc back ';
  return ' j/k scroll  esc close ';
}

function edge(left: string, text: string, right: string, width: number): Span[] {
  const title = toSpans(text, { bold: true })[0];
  const size = Math.min(widthOf(title), width - 4);
  return [side(`${left}─`), ...cutTo(title, size), side(`${'─'.repeat(width - 3 - size)}${right}`)];
}

function side(text: string): Span {
  return { text, look: { fg: 'accent' } };
}

function widthOf(spans: readonly Span[]): number {
  return spans.reduce((sum, { text }) => sum + textWidth(text), 0);
}
