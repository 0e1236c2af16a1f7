/** What lies over the review for a moment: help, a list to choose from, a text, a question by keys. */

/** A key and what it does, as {@link Overlay} shows it. */
export interface Choice {
  key: string;
  text: string;
  act: () => void;
  /** Ctrl-C means this one, where any does. */
  isForInterrupt?: true;
}

export type Overlay =
  /** Rows of keys and what they do, or of any text; scrolls. */
  | { kind: 'text'; title: string; lines: readonly string[]; top: number; choices: readonly Choice[] }
  /** One of many; `act` gets its index. */
  | {
      kind: 'list';
      title: string;
      entries: readonly string[];
      cursor: number;
      act: (index: number) => void;
    }
  /** A question that is answered by one key; escape takes it back. */
  | { kind: 'question'; title: string; lines: readonly string[]; choices: readonly Choice[] };

/** A line that is typed at the bottom. */
export interface Prompt {
  label: string;
  text: string;
  /** Where the next character goes, in characters. */
  cursor: number;
  done: (text: string) => void;
}

export function openPrompt(label: string, text: string, done: (text: string) => void): Prompt {
  return { label, text, cursor: Array.from(text).length, done };
}

/** The prompt after a key; `undefined` when the key took it back or finished it. Calls `done` on enter. */
export function typeInto(prompt: Prompt, key: string): Prompt | undefined {
  const characters = Array.from(prompt.text);
  const { cursor } = prompt;
  const at = (text: string[], next: number): Prompt => ({
    ...prompt,
    text: text.join(''),
    cursor: Math.max(0, Math.min(text.length, next)),
  });
  switch (key) {
    case 'enter':
      prompt.done(prompt.text);
      return undefined;
    case 'escape':
    case 'ctrl-c':
      return undefined;
    case 'left':
      return at(characters, cursor - 1);
    case 'right':
      return at(characters, cursor + 1);
    case 'home':
    case 'ctrl-a':
      return at(characters, 0);
    case 'end':
    case 'ctrl-e':
      return at(characters, characters.length);
    case 'backspace':
      return at(characters.toSpliced(Math.max(0, cursor - 1), Math.min(1, cursor)), cursor - 1);
    case 'delete':
      return at(characters.toSpliced(cursor, 1), cursor);
    case 'ctrl-u':
      return at(characters.slice(cursor), 0);
    case 'ctrl-w': {
      const kept = characters
        .slice(0, cursor)
        .join('')
        .replace(/\S*\s*$/, '');
      return at([...kept, ...characters.slice(cursor)], Array.from(kept).length);
    }
    default:
      return Array.from(key).length === 1 ? insert(prompt, key) : prompt;
  }
}

/** Puts text at the cursor; line ends become blanks. */
export function insert(prompt: Prompt, text: string): Prompt {
  const added = Array.from(text.replace(/\r\n|[\r\n\t]/g, ' ').replace(/\p{Cc}/gu, ''));
  const characters = Array.from(prompt.text).toSpliced(prompt.cursor, 0, ...added);
  return { ...prompt, text: characters.join(''), cursor: prompt.cursor + added.length };
}
