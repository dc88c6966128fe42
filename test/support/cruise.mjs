/**
 * Reads the project's rules about imports over the `src` of each folder that is named; writes what they find, folder by
 * folder, as JSON. All in one process, because starting the reader costs more than reading.
 */
import { cruise } from 'dependency-cruiser';
import extractOptions from 'dependency-cruiser/config-utl/extract-depcruise-options';

const found = [];
for (const folder of process.argv.slice(2)) {
  process.chdir(folder);
  const options = await extractOptions('./.dependency-cruiser.cjs');
  const { output } = await cruise(['src'], { ...options, baseDir: folder });
  found.push(output.summary.violations.map(({ rule, from }) => `${rule.name}: ${from}`).sort());
}
process.stdout.write(JSON.stringify(found));
