import { bucketPlace } from '../storage/bucket-place.js';
import { type GivenText, invalidText } from './setting-text.js';

/** The URIs of a setting that names folders of S3, parted by commas. */
export function s3FoldersOf(setting: string): string[] {
  return setting
    .split(',')
    .map((uri) => uri.trim())
    .filter((uri) => uri !== '');
}

/** Such a setting, as it was given. @throws SpiralError `invalid_config` where one of them is no folder of S3. */
export function s3FoldersText(given: GivenText): string {
  if (s3FoldersOf(given.text).every(isS3Folder)) return given.text;
  throw invalidText(given, 's3://bucket or s3://bucket/folder, several of them parted by commas, or s3:// for all');
}

function isS3Folder(uri: string): boolean {
  try {
    return uri === 's3://' || (/^s3:\/\//.test(uri) && bucketPlace(uri, 's3').bucket !== '');
  } catch {
    return false;
  }
}
