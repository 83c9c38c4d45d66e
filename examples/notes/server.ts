// An HTTP server of notes: node examples/notes/server.ts [PORT]
//
//   GET    /notes                   all notes           GET  /history            all versions
//   POST   /notes                   {title, body}       GET  /notes?version=3    as they were
//   PUT    /notes/7                 {title, body}       POST /undo               takes the newest change back
//   DELETE /notes/7                                     GET, POST /drafts        lists, starts {name}
//   DELETE /drafts/x                                    ...?draft=x              all of it, in a draft
//   POST   /drafts/x/publish        merges it; ...?prefer=ours or theirs decides where both changed the same
//   GET    /feed                    changes as they come (server-sent events; Last-Event-ID goes on)

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { DoSQLError } from '@dotdo/dosql';
import { Notes, NotesError } from './notes.ts';

const statuses: Record<string, number> = {
  DOSQL_BRANCH_NOT_FOUND: 404,
  DOSQL_VERSION_NOT_FOUND: 404,
  DOSQL_ALREADY_EXISTS: 409,
  DOSQL_CONSTRAINT: 422,
  DOSQL_INVALID_ARGUMENT: 422,
};

async function bodyOf(request: IncomingMessage): Promise<any> {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
    if (text.length > 1e6) throw new NotesError(413, 'the body is too long');
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new NotesError(400, 'the body is no JSON');
  }
}

async function answer(notes: Notes, request: IncomingMessage): Promise<unknown> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const draft = url.searchParams.get('draft') ?? '';
  const [, kind, name, action] = url.pathname.split('/').map(decodeURIComponent);
  const id = Number(name);
  switch (`${request.method} /${kind}${name === undefined ? '' : '/x'}${action === undefined ? '' : `/${action}`}`) {
    case 'GET /notes': {
      const version = url.searchParams.get('version');
      return version === null ? notes.list(draft) : notes.at(Number(version), draft);
    }
    case 'POST /notes':
      return notes.save(await bodyOf(request), draft);
    case 'PUT /notes/x':
      return notes.save({ ...(await bodyOf(request)), id }, draft);
    case 'DELETE /notes/x':
      return notes.remove(id, draft);
    case 'GET /history':
      return notes.history(draft);
    case 'POST /undo':
      return notes.undo(draft);
    case 'GET /drafts':
      return notes.drafts();
    case 'POST /drafts':
      return notes.startDraft((await bodyOf(request)).name);
    case 'DELETE /drafts/x':
      return notes.dropDraft(name!);
    case 'POST /drafts/x/publish':
      return notes.publish(name!, (url.searchParams.get('prefer') ?? 'auto') as 'auto');
    default:
      throw new NotesError(404, `there is no ${request.method} ${url.pathname}`);
  }
}

// Ends when the reader goes, or the server.
async function sendFeed(notes: Notes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const seen = request.headers['last-event-id'];
  const feed = await notes.feed(seen === undefined ? undefined : BigInt(seen as string));
  response.on('close', () => void notes.endFeed(feed));
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.flushHeaders();
  for await (const { lsn, op, data } of feed) {
    const room = response.write(`id: ${lsn}\nevent: ${op}\ndata: ${JSON.stringify(data)}\n\n`);
    if (!room) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  response.end();
}

export function serve(notes: Notes): Server {
  return createServer((request, response) => {
    if (request.method === 'GET' && request.url === '/feed') {
      sendFeed(notes, request, response).catch((error) => response.destroy(error));
      return;
    }
    answer(notes, request).then(
      (value) => {
        response.writeHead(value === undefined ? 204 : 200, { 'content-type': 'application/json' });
        response.end(value === undefined ? undefined : JSON.stringify(value));
      },
      (error) => {
        const status = error instanceof NotesError ? error.status : error instanceof DoSQLError ? statuses[error.code] : 500;
        response.writeHead(status ?? 500, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ error: error.message, ...error.details }));
      },
    );
  });
}

if (import.meta.main) {
  const notes = new Notes('notes');
  const server = serve(notes).listen(Number(process.argv[2] ?? 8080), () => {
    const address = server.address();
    console.log(`listening on ${typeof address === 'object' ? address?.port : address}`);
  });
  process.on('SIGTERM', () => {
    server.close(() => notes.close());
    void notes.endFeeds();
  });
}
