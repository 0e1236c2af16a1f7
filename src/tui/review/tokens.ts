/** The highlighter's markup as tokens by line. */
import type { Colour } from './look.ts';

/** From (inclusive) and to (exclusive) in code units of the line, and its colour. */
export type Token = readonly [from: number, to: number, colour: Colour];

const COLOURS: Record<string, Colour> = {
  keyword: 'keyword',
  literal: 'number',
  number: 'number',
  symbol: 'number',
  string: 'string',
  regexp: 'string',
  char: 'string',
  comment: 'comment',
  doctag: 'comment',
  quote: 'comment',
  type: 'type',
  class: 'type',
  built_in: 'type',
  title: 'name',
  attr: 'name',
  attribute: 'name',
  property: 'name',
  name: 'name',
  tag: 'markup',
  section: 'markup',
  bullet: 'markup',
  link: 'string',
  code: 'string',
  meta: 'keyword',
  'selector-tag': 'markup',
  'selector-class': 'name',
  'selector-id': 'name',
  variable: 'type',
  addition: 'added',
  deletion: 'removed',
};

const ENTITIES: Record<string, string> = {
  '&lt;': '<',
  '&gt;': '>',
  '&amp;': '&',
  '&quot;': '"',
  '&#x27;': "'",
};

/** Reads `<span class="hljs-…">` markup, in which nothing else is markup; spans may go over several lines. */
export function readTokens(html: string): Token[][] {
  const lines: Token[][] = [[]];
  const open: (Colour | undefined)[] = [];
  let column = 0;
  for (const [piece] of html.matchAll(/<\/span>|<span class="[^"]*">|&[#\w]+;|\n|[^<&\n]+|./gs)) {
    if (piece.startsWith('<span')) open.push(colourOf(piece) ?? open.at(-1));
    else if (piece === '</span>') open.pop();
    else if (piece === '\n') {
      lines.push([]);
      column = 0;
    } else {
      const length = (ENTITIES[piece] ?? piece).length;
      const colour = open.at(-1);
      if (colour !== undefined) push(lines.at(-1) ?? [], column, column + length, colour);
      column += length;
    }
  }
  return lines;
}

function push(tokens: Token[], from: number, to: number, colour: Colour): void {
  const last = tokens.at(-1);
  if (last !== undefined && last[1] === from && last[2] === colour)
    tokens[tokens.length - 1] = [last[0], to, colour];
  else tokens.push([from, to, colour]);
}

function colourOf(span: string): Colour | undefined {
  const name = /hljs-([\w-]+)/.exec(span)?.[1];
  return name === undefined ? undefined : COLOURS[name];
}
