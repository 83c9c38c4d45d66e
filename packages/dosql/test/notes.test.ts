// The example in examples/notes, run as its readers would run it: a server in a process, driven over HTTP.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { repository, temporaryFolder } from './support.ts';

// A folder of its own, where the package is installed.
const folder = temporaryFolder();
cpSync(path.join(repository, 'examples/notes'), folder, { recursive: true });
mkdirSync(path.join(folder, 'node_modules/@dotdo'), { recursive: true });
symlinkSync(path.join(import.meta.dirname, '..'), path.join(folder, 'node_modules/@dotdo/dosql'));

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
  assert.deepEqual(titles(await get('/notes')).slice(-3), ['green soap', 'sponge', 'brush']);
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
  const { server, ended, call } = await start();
  const statuses: [string, string, unknown, number][] = [
    ['DELETE', '/notes/99', undefined, 404],
    ['GET', '/nothing', undefined, 404],
    ['GET', '/notes?draft=none', undefined, 404],
    ['GET', '/notes?version=999', undefined, 404],
    ['POST', '/notes', { title: '', body: '' }, 422],
    ['POST', '/notes', { body: '' }, 422],
    ['POST', '/drafts', { name: 'no name' }, 422],
  ];
  for (const [method, url, body, status] of statuses) {
    const answer = await call(method, url, body);
    assert.equal(answer.status, status, `${method} ${url}: ${JSON.stringify(answer.body)}`);
    assert.ok(answer.body.error.length > 5);
  }
  server.kill('SIGTERM');
  assert.equal(await ended, 0);
});
