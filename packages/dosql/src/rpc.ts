/**
 * Schemas as they travel between processes.
 *
 * @packageDocumentation
 */

export type ForeignKeyAction = 'CASCADE' | 'SET NULL' | 'SET DEFAULT' | 'RESTRICT' | 'NO ACTION';

export interface ForeignKeySchema {
  /** Of the constraint. */
  name: string;
  /** Of the child table. */
  columns: string[];
  /** The parent table. */
  referencedTable: string;
  /** Of the parent table. */
  referencedColumns: string[];
  onDelete?: ForeignKeyAction;
  onUpdate?: ForeignKeyAction;
}

export interface ColumnSchema {
  name: string;
  /** As CREATE TABLE has it: `INTEGER`, `DECIMAL(10,2)`. */
  type: string;
  nullable: boolean;
  autoIncrement?: boolean;
  /** An SQL expression. */
  defaultValue?: string;
}

export interface TableSchema {
  name: string;
  columns: ColumnSchema[];
  primaryKey: string[];
  foreignKeys?: ForeignKeySchema[];
}
