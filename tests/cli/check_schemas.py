#!/usr/bin/env python3
"""Holds what `breakwater check` and `breakwater test` write for machines to their schemas: SARIF 2.1.0 and JUnit's XML.

    check_schemas.py BREAKWATER

The findings are those of all golden files, of a file that is no text, of one whose name needs escapes, and of one that does not
exist. The schema of SARIF comes with an npm package (tests/npm), that of JUnit stands beside this file. Each schema is also
shown a document that it must refuse: a validator that accepts everything would prove nothing.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FOUND = {1, 2}


def report(tool, format_name, paths, command='check'):
    result = subprocess.run([tool, command, '--format', format_name, *paths], capture_output=True)
    assert result.returncode in FOUND, f'{format_name}: exit code {result.returncode}: {result.stderr.decode()}'
    assert not result.stderr, f'{format_name}: {result.stderr.decode()}'
    return result.stdout


def sarif_problems(path):
    return subprocess.run(['node', ROOT / 'tests/npm/validate_sarif.mjs', path], capture_output=True, text=True)


def junit_problems(path):
    return subprocess.run(['xmllint', '--noout', '--schema', HERE / 'junit.xsd', path], capture_output=True, text=True)


def check(name, document, broken, validate, folder):
    good, bad = folder / f'good.{name}', folder / f'bad.{name}'
    good.write_bytes(document)
    bad.write_bytes(broken)
    result = validate(good)
    assert result.returncode == 0, f'{name}: not valid\n{result.stdout}{result.stderr}'
    assert validate(bad).returncode not in (0, 127), f'{name}: the validator accepts what it must refuse'
    print(f'{name}: {len(document)} bytes are valid, a broken one is refused')


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        (folder / 'odd name, 100%:<&">.policy').write_text('edition 1\nreply "r" { status = 1 }\n')
        (folder / 'not_text.policy').write_bytes(b'\xff\xfe\x00')
        (folder / 'clean.policy').write_text((ROOT / 'policies/qwen3-32b.policy').read_text())
        paths = [str(ROOT / 'tests/golden/check'), str(folder), str(folder / 'none.policy')]

        sarif = report(tool, 'sarif', paths)
        log = json.loads(sarif)
        results = log['runs'][0]['results']
        assert len(results) > 50, f'only {len(results)} findings'
        assert any('fixes' in result for result in results)
        del log['runs'][0]['tool']
        check('sarif', sarif, json.dumps(log).encode(), sarif_problems, folder)

        junit = report(tool, 'junit', paths)
        assert junit.count(b'<failure') == len(results) and junit.count(b'<error') == 1
        check('junit', junit, junit.replace(b' tests="', b' test="', 1), junit_problems, folder)

        (folder / 'tests.policy').write_text(
            'edition 1\ngateway { listen = "127.0.0.1:0" }\nupstream a { url = "http://a:1" }\n'
            'test "5 < 6 & \\"so on\\"" { given a replies 200 text "\\u{1}"  send GET "/"  expect body == "<&>" }\n'
            'test "good" { given a replies 200  send GET "/"  expect status == 200 }\n')
        tests = report(tool, 'junit', paths, command='test')
        failures = tests.count(b'<failure')
        assert failures == 2 and b'name="good"/>' in tests, f'{failures} failures: one here, one of the golden files'
        check('junit_tests', tests, tests.replace(b' tests="', b' test="', 1), junit_problems, folder)

        found = json.loads(report(tool, 'json', paths))
        assert sum(len(file['findings']) for file in found['files']) == len(results)
        github = report(tool, 'github', paths)
        assert github.count(b'\n') == len(results) + 1, 'one line for each finding and each unreadable file'
        print(f'json, github: the same {len(results)} findings')


if __name__ == '__main__':
    main()
