// validate_sarif.mjs FILE: whether a file is SARIF 2.1.0, by the schema that @microsoft/jest-sarif brings. Prints what is wrong.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const Ajv = require('ajv');
const schema = require('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');

const ajv = new Ajv({ allErrors: true, schemaId: 'auto', unknownFormats: 'ignore' });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
const validate = ajv.compile(schema);
if (!validate(JSON.parse(readFileSync(process.argv[2], 'utf8')))) {
  console.log(JSON.stringify(validate.errors.slice(0, 10), null, 2));
  process.exit(1);
}
