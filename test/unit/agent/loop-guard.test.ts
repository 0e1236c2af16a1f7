import { describe, expect, it } from 'vitest';
import { type Execution, LoopGuard } from '../../../src/agent/loop-guard.ts';

const TEST: Execution = {
  tool: 'bash',
  input: { command: 'npm test' },
  ok: false,
  text: '1 fails',
  hasChanged: false,
};
const edit = (text: string): Execution => ({
  tool: 'edit',
  input: { text },
  ok: true,
  text: 'ok',
  hasChanged: true,
});

/** Which of the executions are warned about, and which end the turn. */
function watch(executions: Execution[]) {
  const guard = new LoopGuard();
  const verdicts = executions.map((each) => guard.observe(each));
  return {
    warned: verdicts.flatMap((verdict, index) => (verdict.warning === undefined ? [] : [index])),
    stopped: verdicts.flatMap((verdict, index) => (verdict.mustStop ? [index] : [])),
  };
}

describe('the loop guard', () => {
  it('warns at the third and stops at the fifth identical execution', () => {
    expect(watch(Array(5).fill(TEST))).toEqual({ warned: [2, 3, 4], stopped: [4] });
  });

  it('sees a circle of several calls', () => {
    const other = { ...TEST, input: { command: 'ls' } };
    expect(watch(Array(5).fill([TEST, other]).flat()).stopped).toEqual([8, 9]);
  });

  it('lets calls differ in tool, input, outcome or result', () => {
    const others = [
      { ...TEST, tool: 'read' },
      { ...TEST, input: { command: 'npm test ' } },
      { ...TEST, ok: true },
      { ...TEST, text: '2 fail' },
    ];
    expect(watch([TEST, ...others, TEST])).toEqual({ warned: [], stopped: [] });
  });

  it('starts again after a change of the workspace', () => {
    const work = Array.from({ length: 9 }, (_, n) => [edit(`${n}`), TEST]).flat();
    expect(watch(work)).toEqual({ warned: [], stopped: [] });
  });

  it('counts edits that undo each other', () => {
    expect(
      watch(
        Array(5)
          .fill([edit('a'), edit('b')])
          .flat(),
      ).stopped,
    ).toEqual([8, 9]);
  });
});
