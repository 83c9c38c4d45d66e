// The blocks of code of the document that DoSQL is built to, by their position. The document is not in the
// repository: it lies in ../shared/spec beside it, or where DOSQL_SPEC says, the file or its folder.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

export interface Block {
  /** From 1, over the whole document. */
  position: number;
  language: string;
  /** The headings above it. */
  section: string;
  title: string;
  code: string;
}

/** The document's text; undefined where there is none. */
export function readDocument(): { file: string; text: string } | undefined {
  const place = process.env['DOSQL_SPEC'] ?? path.resolve(import.meta.dirname, '../../../shared/spec');
  if (!existsSync(place)) return undefined;
  const file = statSync(place).isFile() ? place : onlyDocumentIn(place);
  return file === undefined ? undefined : { file, text: readFileSync(file, 'utf8') };
}

function onlyDocumentIn(folder: string): string | undefined {
  const [name, ...others] = readdirSync(folder).filter((file) => file.endsWith('.md'));
  if (others.length > 0) throw new Error(`there are several documents in ${folder}: name one with DOSQL_SPEC`);
  return name === undefined ? undefined : path.join(folder, name);
}

/** All fenced blocks. */
export function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let section = '';
  let title = '';
  let open: Block | undefined;
  for (const line of text.split('\n')) {
    if (open !== undefined) {
      if (line.startsWith('```')) {
        blocks.push(open);
        open = undefined;
      } else {
        open.code += `${line}\n`;
      }
    } else if (line.startsWith('```')) {
      open = { position: blocks.length + 1, language: line.slice(3).trim(), section, title, code: '' };
    } else if (line.startsWith('## ')) {
      section = title = line.slice(3);
    } else if (/^####? /.test(line)) {
      title = line.replace(/^#+ /, '');
    }
  }
  return blocks;
}
