import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aptSettings } from '../../../src/egress/managers/apt.ts';
import { readGoAnswer } from '../../../src/egress/managers/go.ts';
import { askManager } from '../../../src/egress/managers/manager.ts';
import { readNpmConfig } from '../../../src/egress/managers/npm.ts';
import { readPipAnswer } from '../../../src/egress/managers/pip.ts';
import { certificateSettings } from '../../../src/egress/registries.ts';
import { temporaryFolder } from '../../support/temp.ts';

const hosts = (settings: { rules: { host: string; port?: number }[] }) =>
  settings.rules.map(({ host, port }) => (port === undefined ? host : `${host}:${port}`));

describe('the settings of package managers', () => {
  it('npm: the registry and those of scopes come along, without a name, a password or anything else', () => {
    const settings = readNpmConfig(
      JSON.stringify({
        registry: 'https://me:secret@mirror.test:8443/npm/',
        '@team:registry': 'http://team.test/',
        '//mirror.test:8443/npm/:_authToken': 'token-secret',
        _auth: 'token-secret',
        script: 'evil\nregistry=https://evil.test/',
        '@evil\nregistry': 'https://evil.test/',
        cafile: '/home/me/ca.pem',
      }),
    );
    expect(hosts(settings)).toEqual(['mirror.test:8443', 'team.test']);
    const text = settings.files[0]?.text ?? '';
    expect(text).toContain('registry=https://mirror.test:8443/npm/\n@team:registry=http://team.test/\n');
    expect(JSON.stringify(settings)).not.toMatch(/secret|evil|ca\.pem/);
    expect(settings.notes).toEqual(['The credentials for mirror.test stay on the host.']);
  });

  it.each(['', 'null', '[]', '{"registry": 5}', '{"registry": "file:///x"}', 'not json'])(
    'npm: %j gives nothing',
    (text) => {
      expect(readNpmConfig(text)).toMatchObject({ rules: [], files: [], env: {} });
    },
  );

  it('pip: an index of the person’s own takes the place of the built-in one', () => {
    const builtIn = 'default https://index.test/simple/\nfiles https://files.test\n';
    expect(hosts(readPipAnswer(builtIn))).toEqual(['index.test', 'files.test']);
    const own = readPipAnswer(
      `${builtIn}global.index-url https://u:secret@own.test/simple\ninstall.extra-index-url http://a.test/s file:///x http://b.test/s\n`,
    );
    expect(hosts(own)).toEqual(['own.test', 'a.test', 'b.test']);
    expect(own.files[0]?.text).toBe(
      '[global]\nindex-url = https://own.test/simple\nextra-index-url = http://a.test/s http://b.test/s\n',
    );
    expect(JSON.stringify(own)).not.toContain('secret');
  });

  it('go: proxies without "direct", and the database of digests', () => {
    const settings = readGoAnswer('https://proxy.test,https://second.test|direct\nsum.test\n');
    expect(hosts(settings)).toEqual(['proxy.test', 'second.test', 'sum.test']);
    expect(settings.env).toEqual({
      GOPROXY: 'https://proxy.test/,https://second.test/',
      GOSUMDB: 'sum.test',
    });
    expect(readGoAnswer('off\noff\n').rules).toEqual([]);
    expect(hosts(readGoAnswer('https://proxy.test\noff\n'))).toEqual(['proxy.test']);
  });

  it('apt: sources on the web in both forms, without credentials, and only harmless options', () => {
    const root = temporaryFolder();
    mkdirSync(join(root, 'sources.list.d'));
    mkdirSync(join(root, 'apt.conf.d'));
    writeFileSync(
      join(root, 'sources.list'),
      '# deb http://off.test/debian x main\ndeb [signed-by=/k.gpg] http://one.test/debian bookworm main\ndeb file:/srv/x ./\n',
    );
    writeFileSync(
      join(root, 'sources.list.d/two.sources'),
      'Types: deb\nURIs: https://u:secret@two.test:8080/d\nSuites: x\n',
    );
    writeFileSync(join(root, 'sources.list.d/three.list.disabled'), 'deb http://three.test/ x main\n');
    writeFileSync(join(root, 'sources.list.d/four.list'), 'deb cdrom:[x]/ x main\n');
    writeFileSync(
      join(root, 'apt.conf.d/99x'),
      'Acquire::Check-Date "false";\nDPkg::Post-Invoke {"evil";};\nAcquire::http::Proxy "http://u:secret@p.test";\n',
    );
    const settings = aptSettings(root);
    expect(hosts(settings)).toEqual(['one.test', 'two.test:8080']);
    expect(settings.files.map(({ path }) => path)).toEqual([
      '/etc/apt/sources.list',
      '/etc/apt/sources.list.d/two.sources',
      '/var/lib/dpkg/statoverride',
      '/etc/apt/apt.conf.d/90safe-coder',
    ]);
    expect(settings.files.at(-1)?.text).toBe('Acquire::Check-Date "false";\n');
    expect(JSON.stringify(settings)).not.toMatch(/secret|evil|off\.test|three/);
    expect(aptSettings(join(root, 'missing'))).toMatchObject({ rules: [], files: [] });
  });

  it('a manager is asked outside any project, and one that is missing, fails or hangs gives nothing', async () => {
    const folder = temporaryFolder();
    const program = (name: string, script: string) => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(folder, name), 0o755);
    };
    program('where', 'pwd; env');
    program('fails', 'echo partial; exit 3');
    const host = {
      home: '/home/me',
      env: { PATH: `${folder}:/usr/bin:/bin`, API_KEY: 'secret', npm_config_registry: 'https://m.test/' },
      signal: new AbortController().signal,
    };
    const said = (await askManager(join(folder, 'where'), [], host)) ?? '';
    expect(said.split('\n')[0]).toBe('/');
    expect(said).toContain('npm_config_registry=https://m.test/');
    expect(said).not.toContain('secret');
    expect(await askManager(join(folder, 'fails'), [], host)).toBeUndefined();
    expect(await askManager(join(folder, 'missing'), [], host)).toBeUndefined();
    await expect(
      askManager(join(folder, 'where'), [], { ...host, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({
      code: 'cancelled',
    });
  });

  it('only certificates come out of the files that the environment names', () => {
    const file = join(temporaryFolder(), 'own.pem');
    const certificate = '-----BEGIN CERTIFICATE-----\nMIIBowned\n-----END CERTIFICATE-----';
    writeFileSync(
      file,
      `comment\n-----BEGIN PRIVATE KEY-----\nsecret\n-----END PRIVATE KEY-----\n${certificate}\n`,
    );
    const { files, env } = certificateSettings({
      NODE_EXTRA_CA_CERTS: file,
      SSL_CERT_FILE: '/does/not/exist',
    });
    expect(files).toHaveLength(1);
    expect(files[0]?.text).toContain(certificate);
    expect(files[0]?.text).not.toContain('secret');
    expect(env.NODE_EXTRA_CA_CERTS).toBe(files[0]?.path);
    expect(readFileSync(file, 'utf8')).toContain('secret');
  });
});
