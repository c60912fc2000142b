import { Module } from '@nestjs/common';
import { makeCounterProvider, makeGaugeProvider, makeHistogramProvider } from '@willsoto/nestjs-prometheus';
import { FileStore } from './file.store.js';
import { FilesController } from './files.controller.js';
import { FileReader } from './reading/file-reader.service.js';
import { LineReplays } from './reading/line-replays.service.js';
import { Pace } from './reading/pace.service.js';
import { ReadingRun } from './reading/reading-run.service.js';
import { Receiver } from './receiving/receiver.service.js';
import { UploadController } from './upload.controller.js';
import { UploadFolder } from './upload-folder.service.js';
import { UploadKeeping } from './upload-keeping.service.js';
import { Uploads } from './uploads.service.js';

@Module({
  controllers: [UploadController, FilesController],
  providers: [
    FileReader,
    FileStore,
    LineReplays,
    Pace,
    ReadingRun,
    Receiver,
    UploadFolder,
    UploadKeeping,
    Uploads,
    makeCounterProvider({
      name: 'uploads_total',
      help: 'Uploads by what became of them: accepted, duplicate, or the code of the problem that was answered',
      labelNames: ['result'],
    }),
    makeCounterProvider({ name: 'upload_bytes_total', help: 'Bytes of files that came whole, as they came' }),
    makeCounterProvider({
      name: 'upload_lines_total',
      help: 'Lines of files by the format they were read as and what they were',
      labelNames: ['format', 'outcome'],
    }),
    makeGaugeProvider({ name: 'upload_files_waiting', help: 'Files that wait to be read' }),
    makeHistogramProvider({
      name: 'upload_reading_seconds',
      help: 'Time from the claim of a file to the end of its reading',
      labelNames: ['status'],
      buckets: [0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800],
    }),
  ],
})
export class UploadsModule {}
