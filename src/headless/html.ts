/**
 * HTML made of parts that can only come from here: elements by name from a short list, attributes by fixed words or numbers, and text,
 * which is escaped. Nothing that a guest, a model or a project wrote becomes markup.
 */
import { escapeForTerminal } from '../base/terminal-text.ts';

declare const markup: unique symbol;
/** Text that is safe to stand in a page. */
export type Html = string & { readonly [markup]: true };

type Tag =
  | 'a'
  | 'article'
  | 'bdi'
  | 'code'
  | 'dd'
  | 'details'
  | 'div'
  | 'dl'
  | 'dt'
  | 'footer'
  | 'h1'
  | 'h2'
  | 'h3'
  | 'header'
  | 'li'
  | 'p'
  | 'pre'
  | 'section'
  | 'span'
  | 'summary'
  | 'ul';

const ENTITY: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '`': '&#96;',
};

/** Any text, inert: markup as entities, and what can't be seen (controls, bidirectional marks) shown. */
export function text(value: string): Html {
  return escapeForTerminal(value).replace(/[&<>"'`]/g, (char) => ENTITY[char] ?? char) as Html;
}

/** Attributes are words of this program's own: throws `TypeError` for anything but letters, digits, `-`, `#` and blanks. */
export function element(
  tag: Tag,
  attributes: Readonly<Record<string, string>>,
  ...children: readonly Html[]
): Html {
  const words = Object.entries(attributes).map(([name, value]) => {
    if (!/^[a-z]+$/.test(name) || !/^[\w #-]*$/.test(value)) throw new TypeError(`not an attribute: ${name}`);
    return ` ${name}="${value}"`;
  });
  return `<${tag}${words.join('')}>${children.join('')}</${tag}>` as Html;
}

export function join(parts: readonly Html[]): Html {
  return parts.join('') as Html;
}
