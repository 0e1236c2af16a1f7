import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slugify } from '../src/slugify.js';

test('joins two words', () => {
  assert.equal(slugify('Hello, World'), 'hello-world');
});

test('joins more than two words, however many spaces are between them', () => {
  assert.equal(slugify('  The  quick brown   fox '), 'the-quick-brown-fox');
});
