// An HTTP server of notes. In this folder, after `make build`: npm install; node server.ts [PORT]
//
//   GET    /notes                   all notes           GET  /history            all versions
//   POST   /notes                   {title, body}       GET  /notes?version=3    as they were
//   PUT    /notes/7                 {title, body}       POST /undo               takes the newest change back
//   DELETE /notes/7                                     GET, POST /drafts        lists, starts {name}
//   DELETE /drafts/x                                    ...?draft=x              all of it, in a draft
//   POST   /drafts/x/publish        merges it; ...?prefer=ours or theirs decides where both changed the same
//   GET    /feed                    changes as they come (server-sent events; Last-Event-ID goes on)

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { DoSQLError } from '@dotdo/dosql';
import { Notes, NotesError } from './notes.ts';

const statuses: Record<string, number> = {
  DOSQL_NOT_FOUND: 404,
  DOSQL_BRANCH_NOT_FOUND: 404,
  DOSQL_VERSION_NOT_FOUND: 404,
  DOSQL_ALREADY_EXISTS: 409,
  DOSQL_BRANCH_NOT_MERGED: 409,
  DOSQL_CONSTRAINT: 422,
  DOSQL_INVALID_ARGUMENT: 422,
};

// An object.
async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = '';
  request.setEncoding('utf8');
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 1e6) throw new NotesError(413, 'the body is too long');
  }
  const body = decoded(() => JSON.parse(text), 'the body is no JSON');
  if (typeof body !== 'object' || body === null) throw new NotesError(400, 'the body is no object');
  return body;
}

function decoded<T>(decode: () => T, wrong: string): T {
  try {
    return decode();
  } catch {
    throw new NotesError(400, wrong);
  }
}

function textOf(body: Record<string, unknown>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new NotesError(422, `${name} must be a text`);
  return value;
}

async function noteOf(request: IncomingMessage): Promise<{ title: string; body: string }> {
  const body = await bodyOf(request);
  return { title: textOf(body, 'title'), body: textOf(body, 'body') };
}

function numberOf(text: string, wrong: NotesError): number {
  if (!/^[0-9]{1,15}$/.test(text)) throw wrong;
  return Number(text);
}

const preferences = ['auto', 'ours', 'theirs'] as const;

function preferenceOf(text: string | null): (typeof preferences)[number] {
  const preference = preferences.find((one) => one === (text ?? 'auto'));
  if (preference === undefined) throw new NotesError(400, `prefer is one of ${preferences.join(', ')}`);
  return preference;
}

interface Route {
  draft: string;
  query: URLSearchParams;
  kind: string;
  name?: string | undefined;
  action?: string | undefined;
}

function routeOf(request: IncomingMessage): Route {
  return decoded(() => {
    const { pathname, searchParams: query } = new URL(`http://localhost${request.url ?? '/'}`);
    const [, kind = '', name, action, ...more] = pathname.split('/').map(decodeURIComponent);
    if (more.length > 0) return { draft: '', query, kind: pathname };
    return { draft: query.get('draft') ?? '', query, kind, name, action };
  }, 'the address is none');
}

async function answer(notes: Notes, request: IncomingMessage, route: Route): Promise<unknown> {
  const { draft, query, kind, name, action } = route;
  const id = () => numberOf(name!, new NotesError(404, `there is no note ${name}`));
  switch (`${request.method} /${kind}${name === undefined ? '' : '/x'}${action === undefined ? '' : `/${action}`}`) {
    case 'GET /notes': {
      const version = query.get('version');
      if (version === null) return notes.list(draft);
      return notes.at(numberOf(version, new NotesError(400, 'a version is a number')), draft);
    }
    case 'POST /notes':
      return notes.save(await noteOf(request), draft);
    case 'PUT /notes/x':
      return notes.save({ id: id(), ...(await noteOf(request)) }, draft);
    case 'DELETE /notes/x':
      return notes.remove(id(), draft);
    case 'GET /history':
      return notes.history(draft);
    case 'POST /undo':
      return notes.undo(draft);
    case 'GET /drafts':
      return notes.drafts();
    case 'POST /drafts':
      return notes.startDraft(textOf(await bodyOf(request), 'name'));
    case 'DELETE /drafts/x':
      return notes.dropDraft(name!);
    case 'POST /drafts/x/publish':
      return notes.publish(name!, preferenceOf(query.get('prefer')));
    default:
      throw new NotesError(404, `there is no ${request.method} ${request.url}`);
  }
}

// Ends when the reader goes, or the server.
async function sendFeed(notes: Notes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // The reader may go while the feed is made.
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const seen = request.headers['last-event-id'];
  if (seen !== undefined && !/^[0-9]{1,19}$/.test(`${seen}`)) throw new NotesError(400, 'Last-Event-ID is no number');
  const after = seen === undefined ? undefined : BigInt(`${seen}`);
  const feed = await notes.feed(after);
  const { signal } = gone;
  signal.addEventListener('abort', () => void notes.endFeed(feed));
  if (signal.aborted) return notes.endFeed(feed);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  for await (const { lsn, op, data } of feed) {
    const room = response.write(`id: ${lsn}\nevent: ${op}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!room) await once(response, 'drain', { signal }).catch(() => {});
  }
  response.end();
}

async function respond(notes: Notes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const route = routeOf(request);
  if (request.method === 'GET' && route.kind === 'feed' && route.name === undefined) {
    return sendFeed(notes, request, response);
  }
  const value = await answer(notes, request, route);
  response.writeHead(value === undefined ? 204 : 200, { 'content-type': 'application/json' });
  response.end(value === undefined ? undefined : JSON.stringify(value));
}

function respondFailure(response: ServerResponse, error: any): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status = error instanceof NotesError ? error.status : error instanceof DoSQLError ? statuses[error.code] : 500;
  response.writeHead(status ?? 500, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: error.message, ...error.details }));
}

export function serve(notes: Notes): Server {
  return createServer((request, response) => {
    respond(notes, request, response).catch((error) => respondFailure(response, error));
  });
}

// How long those who read slowly have when the server ends.
const patienceMs = 500;

if (import.meta.main) {
  const notes = new Notes('notes');
  const server = serve(notes).listen(Number(process.argv[2] ?? 8080), () => {
    const address = server.address();
    console.log(`listening on ${typeof address === 'object' ? address?.port : address}`);
  });
  process.on('SIGTERM', () => {
    server.close(() => notes.close());
    void notes.endFeeds();
    setTimeout(() => server.closeAllConnections(), patienceMs).unref();
  });
}
