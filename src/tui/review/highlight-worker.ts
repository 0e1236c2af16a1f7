/**
 * Syntax colours in a thread of its own: grammars are patterns that search, and a hostile file may make one search for
 * ever. The thread can be ended, the review can't be held up.
 */
import { parentPort } from 'node:worker_threads';
import core from 'highlight.js/lib/core';
import { readTokens } from './tokens.ts';

export interface HighlightRequest {
  id: number;
  /** A grammar's name in highlight.js. */
  language: string;
  lines: string[];
}

const loaded = new Set<string>();

async function load(language: string): Promise<void> {
  if (loaded.has(language)) return;
  const grammar = (await import(`highlight.js/lib/languages/${language}`)) as {
    default: Parameters<typeof core.registerLanguage>[1];
  };
  core.registerLanguage(language, grammar.default);
  loaded.add(language);
}

parentPort?.on('message', async ({ id, language, lines }: HighlightRequest) => {
  try {
    await load(language);
    const { value } = core.highlight(lines.join('\n'), { language, ignoreIllegals: true });
    parentPort?.postMessage({ id, tokens: readTokens(value) });
  } catch {
    // A grammar that can't be loaded or fails: the lines stay without colours, which is no loss of content.
    parentPort?.postMessage({ id, tokens: [] });
  }
});
