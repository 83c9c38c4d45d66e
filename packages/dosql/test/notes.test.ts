// The example in examples/notes, run as its readers would run it: a server in a process, driven over HTTP.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { cpSync, readFileSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { repository, temporaryFolder } from './support.ts';

// A folder of its own, with a letter in its name that addresses write otherwise, where the package is installed as the
// example's header says.
const root = temporaryFolder();
const folder = path.join(root, 'ex ämples/notes');
cpSync(path.join(repository, 'examples/notes'), folder, {
  recursive: true,
  filter: (file) => !/node_modules|\.dosql/.test(path.relative(repository, file)),
});
symlinkSync(path.join(import.meta.dirname, '../..'), path.join(root, 'packages'));
const installed = spawnSync('npm', ['install', '--offline', '--no-audit', '--no-fund'], {
  cwd: folder,
  encoding: 'utf8',
  env: { ...process.env, npm_config_cache: path.join(root, 'cache'), npm_config_update_notifier: 'false' },
});
assert.equal(installed.status, 0, installed.stderr);

async function start() {
  const server = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'server.ts', '0'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  after(() => server.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => server.on('exit', resolve));
  const port = await new Promise<string>((resolve) => {
    server.stdout.on('data', (data) => resolve(/listening on (\d+)/.exec(`${data}`)![1]!));
  });
  const call = async (method: string, url: string, body?: unknown) => {
    const response = await fetch(`http://127.0.0.1:${port}${url}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : JSON.parse(text) };
  };
  return { server, ended, call, port, get: async (url: string) => (await call('GET', url)).body };
}

const titles = (notes: { title: string }[]) => notes.map(({ title }) => title);

test('notes, their history, undo and drafts', async () => {
  const { server, ended, call, get } = await start();
  assert.deepEqual(await get('/notes'), []);
  const first = await call('POST', '/notes', { title: 'milk', body: '2 l' });
  assert.deepEqual([first.status, first.body.id, first.body.title], [200, 1, 'milk']);
  await call('POST', '/notes', { title: 'bread', body: '' });
  await call('PUT', '/notes/1', { title: 'oat milk', body: '1 l' });
  assert.deepEqual(titles(await get('/notes')), ['oat milk', 'bread']);
  assert.equal((await get('/history')).length, 4);
  assert.deepEqual(titles(await get('/notes?version=2')), ['milk']);

  assert.equal((await call('POST', '/undo')).status, 204);
  assert.deepEqual(titles(await get('/notes')), ['milk', 'bread']);
  await call('POST', '/undo');
  assert.deepEqual(titles(await get('/notes')), ['oat milk', 'bread'], 'undo can be undone');
  await call('DELETE', '/notes/2');
  await call('POST', '/undo');
  assert.deepEqual(titles(await get('/notes')), ['oat milk', 'bread']);

  assert.equal((await call('POST', '/drafts', { name: 'party' })).status, 204);
  await call('POST', '/notes?draft=party', { title: 'balloons', body: '' });
  assert.deepEqual(titles(await get('/notes?draft=party')), ['oat milk', 'bread', 'balloons']);
  assert.deepEqual(titles(await get('/notes')), ['oat milk', 'bread']);
  await call('POST', '/undo?draft=party');
  assert.deepEqual(titles(await get('/notes?draft=party')), ['oat milk', 'bread']);
  assert.deepEqual(await get('/drafts'), ['party']);
  assert.equal((await call('DELETE', '/drafts/party')).status, 204);
  assert.deepEqual(await get('/drafts'), []);

  server.kill('SIGTERM');
  assert.equal(await ended, 0);
  const again = await start();
  assert.deepEqual(titles(await again.get('/notes')), ['oat milk', 'bread']);
  again.server.kill('SIGTERM');
  assert.equal(await again.ended, 0);
});

test('drafts are published, and readers of the feed see it', async () => {
  const { server, ended, call, get, port } = await start();
  const feed = await fetch(`http://127.0.0.1:${port}/feed`);
  const reader = feed.body!.pipeThrough(new TextDecoderStream()).getReader();
  let received = '';
  const receive = async (events: number) => {
    while (received.split('\n\n').length <= events) received += (await reader.read()).value ?? assert.fail('the feed ended');
    return received.split('\n\n').slice(0, -1).map((event) => {
      const [, op, data] = /event: (\w+)\ndata: (.*)$/s.exec(event)!;
      return `${op} ${JSON.parse(data!).title}`;
    });
  };
  const { body: note } = await call('POST', '/notes', { title: 'soap', body: '' });
  await call('POST', '/drafts', { name: 'tidy' });
  await call('PUT', `/notes/${note.id}?draft=tidy`, { title: 'green soap', body: '' });
  await call('POST', '/notes?draft=tidy', { title: 'brush', body: '' });
  await call('POST', '/notes', { title: 'sponge', body: '' });
  assert.equal((await call('POST', '/drafts/tidy/publish')).status, 204);
  assert.deepEqual(titles(await get('/notes')).slice(-3), ['green soap', 'brush', 'sponge']);
  assert.deepEqual(await get('/drafts'), []);
  assert.deepEqual(await receive(4), ['INSERT soap', 'INSERT sponge', 'UPDATE green soap', 'INSERT brush']);

  await call('POST', '/drafts', { name: 'clash' });
  await call('PUT', `/notes/${note.id}?draft=clash`, { title: 'red soap', body: '' });
  await call('PUT', `/notes/${note.id}`, { title: 'blue soap', body: '' });
  const refused = await call('POST', '/drafts/clash/publish');
  assert.equal(refused.status, 409);
  const [conflict] = refused.body.conflicts;
  assert.deepEqual([conflict.main.title, conflict.branch.title], ['blue soap', 'red soap']);
  assert.equal((await call('POST', '/drafts/clash/publish?prefer=theirs')).status, 204);
  assert.equal((await receive(6))[5], 'UPDATE red soap');

  // Who comes again says what it has seen.
  const [, seen] = /id: (\d+)\nevent: INSERT\ndata: [^\n]*sponge/.exec(received)!;
  const again = await fetch(`http://127.0.0.1:${port}/feed`, { headers: { 'last-event-id': seen! } });
  const { value: first } = await again.body!.pipeThrough(new TextDecoderStream()).getReader().read();
  assert.match(first!, /^id: \d+\nevent: UPDATE\ndata: [^\n]*green soap/);
  server.kill('SIGTERM');
  assert.equal(await ended, 0, 'feeds end with the server');
});

test('mistakes are told', async () => {
  const { server, ended, call, port } = await start();
  const statuses: [string, string, unknown, number][] = [
    ['DELETE', '/notes/99', undefined, 404],
    ['GET', '/nothing', undefined, 404],
    ['GET', '/notes?draft=none', undefined, 404],
    ['GET', '/notes?version=999', undefined, 404],
    ['POST', '/notes', { title: '', body: '' }, 422],
    ['POST', '/notes', { body: '' }, 422],
    ['POST', '/notes', null, 400],
    ['POST', '/notes', [1], 422],
    ['POST', '/notes', { title: 5, body: '' }, 422],
    ['PUT', '/notes/abc', { title: 'a', body: '' }, 404],
    ['PUT', '/notes/', { title: 'a', body: '' }, 404],
    ['GET', '/notes?version=abc', undefined, 400],
    ['GET', '/notes?version=1.5', undefined, 400],
    ['GET', '/notes?version=', undefined, 400],
    ['GET', '/%', undefined, 400],
    ['GET', '//', undefined, 404],
    ['POST', '/drafts', {}, 422],
    ['POST', '/drafts/none/publish', undefined, 404],
    ['POST', '/drafts/none/publish?prefer=manual', undefined, 400],
    ['POST', '/drafts', { name: 'no name' }, 422],
  ];
  for (const [method, url, body, status] of statuses) {
    const answer = await call(method, url, body);
    assert.equal(answer.status, status, `${method} ${url}: ${JSON.stringify(answer.body)}`);
    assert.ok(answer.body.error.length > 5);
  }
  const feed = await fetch(`http://127.0.0.1:${port}/feed?x=1`, { headers: { 'last-event-id': 'x' } });
  assert.equal(feed.status, 400);
  assert.deepEqual((await call('GET', '/notes')).body.filter((note: { id: number }) => note.id === 0), []);
  server.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('what was saved into a draft while it is published is not lost', async () => {
  const { server, ended, call, get } = await start();
  const saved: string[] = [];
  const begun = (await get('/notes')).length;
  for (let round = 0; round < 5; ++round) {
    await call('POST', '/drafts', { name: `r${round}` });
    let goesOn = true;
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let n = 0; goesOn; ++n) {
        const title = `${round} ${writer} ${n}`;
        const { status } = await call('POST', `/notes?draft=r${round}`, { title, body: '' });
        if (status === 200) saved.push(title);
        else assert.equal(status, 404);
      }
    });
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.equal((await call('POST', `/drafts/r${round}/publish`)).status, 204);
    await new Promise((resolve) => setTimeout(resolve, 10));
    goesOn = false;
    await Promise.all(writers);
  }
  const published = titles(await get('/notes')).slice(begun);
  assert.ok(saved.length > 10);
  assert.deepEqual(published.sort(), saved.sort());
  assert.deepEqual(await get('/drafts'), []);
  server.kill('SIGTERM');
  assert.equal(await ended, 0);
});

test('text arrives whole, and readers that go early leave nothing behind', async () => {
  const { server, ended, get, port } = await start();
  const send = (text: string | Buffer, answers: boolean) => new Promise<void>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(text));
    socket.on('error', () => {}).on('close', () => resolve()).on('data', () => socket.destroy());
    if (!answers) setTimeout(() => socket.resetAndDestroy(), 1);
  });
  const body = Buffer.from(JSON.stringify({ title: 'ÄÖÜ', body: '' }));
  const cut = body.indexOf('Ä') + 1;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), '127.0.0.1', async () => {
      socket.write(`POST /notes HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body.subarray(0, cut));
      await new Promise((later) => setTimeout(later, 20));
      socket.write(body.subarray(cut));
    });
    socket.on('data', () => socket.destroy()).on('close', () => resolve());
  });
  assert.equal(titles(await get('/notes')).at(-1), 'ÄÖÜ');

  const threads = () => Number(/Threads:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]);
  const before = threads();
  await Promise.all(Array.from({ length: 100 }, () => send('GET /feed HTTP/1.1\r\nhost: x\r\n\r\n', false)));
  for (let tries = 0; threads() > before + 5 && tries < 100; ++tries) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(threads() <= before + 5, `${threads()} threads, ${before} before`);
  server.kill('SIGTERM');
  assert.equal(await ended, 0);
});
