// validate_board.mjs FILE…: whether boards are what Grafana 11 loads, by the types that Grafana publishes (@grafana/schema): no member is
// missing, of another type, or unknown. Prints what is wrong. Grafana itself can't be had here.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const types = './node_modules/@grafana/schema/dist/esm';
// A string enum is told from its text in TypeScript, and JSON has the text.
const HEAD = `
import type { Dashboard, Panel, RowPanel } from '${types}/raw/dashboard/x/dashboard_types.gen';
import type { Options as TimeSeries } from '${types}/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Options as Stat } from '${types}/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
type Plain<T> = unknown extends T ? T : T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T
  : T extends readonly (infer U)[] ? Plain<U>[] : { [K in keyof T]: Plain<T[K]> };
type Some<T> = T extends readonly unknown[] ? T : T extends object ? { [K in keyof T]?: Some<T[K]> } : T;
type Query = { refId: string; expr: string; legendFormat?: string; datasource: { type: 'prometheus'; uid: string } }; // of Prometheus: no type is published
type Of<kind extends string, options> = Omit<Plain<Panel>, 'type' | 'options' | 'targets' | 'title' | 'gridPos'> &
  Required<Pick<Plain<Panel>, 'title' | 'gridPos'>> & { type: kind; id: number; options: Some<Plain<options>>; targets: Query[] };
type Row = Plain<RowPanel>;
type Board = Omit<Plain<Dashboard>, 'panels'> & { panels: (Of<'timeseries', TimeSeries> | Of<'stat', Stat> | Row)[] };
export const board: Board = `;

const read = new Map(); // files of the packages, read once

function problemsOf(text) {
  const name = path.join(here, 'board.check.ts');
  const options = { noEmit: true, strict: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (file) => file === name || fileExists(file);
  host.getSourceFile = (file, ...rest) => {
    if (file === name) return ts.createSourceFile(file, HEAD + text + ';\n', ts.ScriptTarget.ES2022);
    if (!read.has(file)) read.set(file, getSourceFile(file, ...rest));
    return read.get(file);
  };
  const program = ts.createProgram([name], options, host);
  const before = HEAD.split('\n').length - 1;
  return ts.getPreEmitDiagnostics(program).map((found) => {
    const line = found.file ? found.file.getLineAndCharacterOfPosition(found.start).line + 1 - before : 0;
    return `line ${line}: ${ts.flattenDiagnosticMessageText(found.messageText, '\n')}`;
  });
}

let status = 0;
for (const file of process.argv.slice(2)) {
  const text = readFileSync(file, 'utf8');
  const found = problemsOf(text);
  for (const problem of found.slice(0, 10)) console.log(`${file}: ${problem}`);
  // The same look finds what it is there for.
  for (const [what, flawed] of Object.entries({
    'a member that Grafana does not know': text.replace('"gridPos"', '"gridPosition"'),
    'a panel of an unknown kind': text.replace('"timeseries"', '"graph"'),
    'a number that is a text': text.replace('"schemaVersion": 39', '"schemaVersion": "39"'),
    'an unknown option': text.replace('"placement": "bottom"', '"placement": "below"'),
  })) {
    if (flawed === text || problemsOf(flawed).length === 0) {
      console.log(`${file}: ${what} was not noticed`);
      status = 1;
    }
  }
  if (found.length > 0) status = 1;
}
if (status === 0) console.log(`${process.argv.length - 2} of ${process.argv.length - 2} boards are what Grafana's types say`);
process.exit(status);
