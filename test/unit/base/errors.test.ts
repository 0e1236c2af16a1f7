import { describe, expect, it } from 'vitest';
import { SafeCoderError, toSafeCoderError } from '../../../src/base/errors.ts';

describe('an unforeseen error', () => {
  it.each(['ENOSPC', 'EDQUOT'])(
    'of the system that says %s is a full disk, with the file and the way out',
    (code) => {
      const error = Object.assign(new Error('refused'), { code, path: '/state/session.json' });
      expect(toSafeCoderError(error)).toMatchObject({
        code: 'environment/disk-full',
        message: 'No room left to write /state/session.json.',
        hint: expect.stringContaining('Free some space'),
        cause: error,
      });
      expect(toSafeCoderError(error).exitCode).toBe(4);
    },
  );

  it('of a clean-up does not hide why the work had failed before', () => {
    const first = new SafeCoderError('guest/lost', 'The guest is gone.');
    const hidden = Object.assign(new Error('suppressed'), {
      error: new Error('clean-up'),
      suppressed: first,
    });
    expect(toSafeCoderError(hidden)).toBe(first);
  });

  it('of any other kind is a bug of ours', () => {
    expect(toSafeCoderError(Object.assign(new Error('x'), { code: 'EIO' })).code).toBe('bug');
    expect(toSafeCoderError('thrown text')).toMatchObject({ code: 'bug', exitCode: 70 });
  });
});
