// The blocks of code of the document that DoSQL is built to, by their position. The document is not in the
// repository: it lies in ../shared/spec beside it, or where DOSQL_SPEC says.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
  const folder = process.env['DOSQL_SPEC'] ?? path.resolve(import.meta.dirname, '../../../shared/spec');
  if (!existsSync(folder)) return undefined;
  const [name] = readdirSync(folder).filter((file) => file.endsWith('.md'));
  if (name === undefined) return undefined;
  const file = path.join(folder, name);
  return { file, text: readFileSync(file, 'utf8') };
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
