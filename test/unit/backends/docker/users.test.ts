import { describe, expect, it } from 'vitest';
import { usersOf } from '../../../../src/backends/docker/users.ts';

const PASSWD = 'root:x:0:0:root:/root:/bin/bash\nnode:x:1000:1000::/home/node:/bin/bash';
const GROUP = 'root:x:0:\nnode:x:1000:\n';

describe('users of an image', () => {
  it('are left alone when the ids are among them', () => {
    expect(usersOf(PASSWD, GROUP, { uid: 1000, gid: 1000 })).toEqual({
      user: { name: 'node', home: '/home/node' },
      passwd: undefined,
      group: undefined,
    });
    expect(usersOf(PASSWD, GROUP, { uid: 0, gid: 0 }).user).toEqual({ name: 'root', home: '/root' });
  });

  it('are joined by one for ids that are not, behind a last line without an end too', () => {
    const { user, passwd, group } = usersOf(PASSWD, GROUP, { uid: 501, gid: 20 });
    expect(user).toEqual({ name: 'user', home: '/home/user' });
    expect(passwd).toBe(`${PASSWD}\nuser:x:501:20::/home/user:/bin/sh\n`);
    expect(group).toBe(`${GROUP}user:x:20:\n`);
  });

  it('keep their names: one that is taken gets a number', () => {
    const { user } = usersOf('user:x:7:7::/srv:/bin/sh\n', 'user:x:7:\n', { uid: 501, gid: 501 });
    expect(user.name).toBe('user501');
  });

  it('are made up where the image has none', () => {
    const { user, passwd } = usersOf('', '', { uid: 0, gid: 0 });
    expect(user).toEqual({ name: 'root', home: '/root' });
    expect(passwd).toBe('root:x:0:0::/root:/bin/sh\n');
  });
});
