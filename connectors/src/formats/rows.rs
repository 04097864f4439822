//! From blocks of scanned records to batches.
//!
//! A [`Block`] holds the tokens of some hundred records, lane by lane, so that it stays in the nearest cache between scan
//! and conversion. [`Rows`] applies the filters to it, converts the columns of the watermark for every good record and the
//! columns of the rows for those that meet the filters, and remembers who turned out bad.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray, RecordBatch, RecordBatchOptions,
};
use arrow::compute::{cast, filter, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use millstream_engine::error::{Error, Result};
use millstream_engine::memory;

use super::columns::{Column, Fault, Rules};
use super::token::{Kind, Source, Token, offset};
use super::values::integer::integer;
use super::wanted::{Place, Wanted};
use super::{BadRow, Decoded, Origins};
use crate::{ColumnFilter, FilterValue};

/// How many records a block has.
pub(crate) const BLOCK_ROWS: usize = 256;

/// How many bytes of records may wait before [`Rows::full`] says so: offsets of a batch stay far below 2^31.
pub(crate) const MAX_BATCH_BYTES: usize = 64 << 20;

/// Scanned records, not yet converted.
#[derive(Debug)]
pub(crate) struct Block {
    tokens: Vec<Token>,
    records: Vec<Record>,
    /// What became of texts with escapes.
    pub(crate) unescaped: Vec<u8>,
}

/// Where a record of a block is from.
#[derive(Debug, Clone, Copy)]
struct Record {
    number: usize,
    start: u32,
    end: u32,
}

impl Block {
    /// An empty block with `lanes` lanes.
    pub(crate) fn new(lanes: usize) -> Self {
        let tokens = vec![Token::ABSENT; lanes * BLOCK_ROWS];
        Self { tokens, records: Vec::with_capacity(BLOCK_ROWS), unescaped: Vec::new() }
    }

    /// Says what the record that is being scanned holds at `lane`.
    #[inline]
    pub(crate) fn set(&mut self, lane: usize, token: Token) {
        let row = self.records.len();
        if let Some(place) = self.tokens.get_mut(lane * BLOCK_ROWS + row) {
            *place = token;
        }
    }

    /// Whether no further record fits.
    #[inline]
    pub(crate) fn full(&self) -> bool {
        self.records.len() == BLOCK_ROWS
    }

    /// The record whose tokens were set is complete: it is the `number`th of the batch and stands at `start .. end`.
    #[inline]
    pub(crate) fn end_record(&mut self, number: usize, start: usize, end: usize) {
        self.records.push(Record { number, start: offset(start), end: offset(end) });
    }

    fn clear(&mut self) {
        self.records.clear();
        self.unescaped.clear();
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        memory::vec(&self.tokens) + memory::vec(&self.records) + memory::vec(&self.unescaped)
    }

    fn lane(&self, lane: usize) -> &[Token] {
        &self.tokens[lane * BLOCK_ROWS..][..self.records.len()]
    }
}

/// A batch that is being made.
#[derive(Debug)]
pub(crate) struct Rows {
    rules: Rules,
    rows: ColumnSet,
    watermark: Option<ColumnSet>,
    filters: Vec<Filter>,
    records: usize,
    bytes: usize,
    bad: Vec<BadRow>,
    /// Bytes of memory of the bad ones.
    bad_bytes: usize,
}

impl Rows {
    /// Makes batches of `rows` and, apart, of `watermark`, from records that meet `filters` on columns of `table`. What
    /// that needs of a record is added to `wanted`.
    pub(crate) fn new(
        rules: Rules,
        wanted: &mut Wanted,
        rows: &SchemaRef,
        watermark: Option<&SchemaRef>,
        filters: &[ColumnFilter],
        table: &SchemaRef,
    ) -> Result<Self> {
        let watermark = watermark.map(|schema| ColumnSet::new(schema, wanted, &rules)).transpose()?;
        let filters = filters.iter().map(|filter| Filter::new(filter, table, wanted, &rules)).collect::<Result<_>>()?;
        let rows = ColumnSet::new(rows, wanted, &rules)?;
        Ok(Self { rules, rows, watermark, filters, records: 0, bytes: 0, bad: Vec::new(), bad_bytes: 0 })
    }

    /// Gives out where rows are from too.
    pub(crate) fn keeping_origins(mut self) -> Self {
        self.rows.records = Some(Vec::new());
        // The columns of the watermark are those of every good row.
        self.watermark.as_mut().unwrap_or(&mut self.rows).raw = Some(BinaryBuilder::new());
        self
    }

    /// How many records wait, good and bad, those of the current block included.
    pub(crate) fn waiting(&self) -> usize {
        self.records
    }

    /// Whether so many bytes wait that a batch is due, however few records they are.
    pub(crate) fn full(&self) -> bool {
        self.bytes >= MAX_BATCH_BYTES
    }

    /// Counts a record of `bytes` bytes: the answer is its number in the batch.
    #[inline]
    pub(crate) fn count(&mut self, bytes: usize) -> usize {
        let number = self.records;
        self.records += 1;
        self.bytes += bytes;
        number
    }

    /// Counts a record that could not be scanned.
    pub(crate) fn count_bad(&mut self, reason: String, raw: &[u8]) {
        let record = self.count(raw.len());
        self.push_bad(BadRow { record, reason, raw: raw.to_vec() });
    }

    fn push_bad(&mut self, bad: BadRow) {
        self.bad_bytes += bad.memory_bytes();
        self.bad.push(bad);
    }

    /// Converts the records of `block`, which is empty afterwards. Their tokens point into `input`.
    pub(crate) fn absorb(&mut self, block: &mut Block, input: &[u8]) -> Result<()> {
        if !block.records.is_empty() {
            self.convert(block, &Source { input, unescaped: &block.unescaped })?;
        }
        block.clear();
        Ok(())
    }

    fn convert(&mut self, block: &Block, source: &Source<'_>) -> Result<()> {
        let mut verdicts = Verdicts::new(block.records.len());
        for filter in &mut self.filters {
            filter.apply(block, source, &self.rules, &mut verdicts)?;
        }
        if let Some(watermark) = &mut self.watermark {
            watermark.append(
                block,
                verdicts.choose(|verdict| verdict != Verdict::Bad),
                source,
                &self.rules,
                &mut verdicts,
            );
        }
        self.rows.append(
            block,
            verdicts.choose(|verdict| verdict == Verdict::Keep),
            source,
            &self.rules,
            &mut verdicts,
        );
        for (row, reason) in verdicts.reasons {
            self.bury(block, row, reason, source.input);
        }
        Ok(())
    }

    /// A record turned out bad while it was converted: its rows go when the batch is given out.
    fn bury(&mut self, block: &Block, row: usize, reason: String, input: &[u8]) {
        let record = block.records[row];
        let raw = input[record.start as usize..record.end as usize].to_vec();
        self.push_bad(BadRow { record: record.number, reason, raw });
        self.rows.bury(row);
        if let Some(watermark) = &mut self.watermark {
            watermark.bury(row);
        }
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        let columns = std::iter::once(&self.rows).chain(&self.watermark).map(ColumnSet::memory_bytes);
        columns.sum::<usize>() + self.bad_bytes
    }

    /// Gives out what waits.
    pub(crate) fn flush(&mut self) -> Result<Decoded> {
        let mut bad = std::mem::take(&mut self.bad);
        self.bad_bytes = 0;
        bad.sort_by_key(|bad| bad.record);
        let records = std::mem::take(&mut self.records);
        self.bytes = 0;
        let watermark = self.watermark.as_mut().map(ColumnSet::finish).transpose()?;
        let rows = self.rows.finish()?;
        let (watermark_rows, raw) = match watermark {
            Some(watermark) => (Some(watermark.rows), watermark.raw),
            None => (None, rows.raw),
        };
        let origins = rows.records.zip(raw).map(|(records, raw)| Box::new(Origins { records, raw }));
        Ok(Decoded { rows: rows.rows, watermark_rows, origins, records, bad })
    }
}

/// What becomes of a record of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Keep,
    /// It does not meet a filter.
    Drop,
    Bad,
}

/// The verdicts over a block. Empty until the first record is not kept.
#[derive(Debug)]
struct Verdicts {
    length: usize,
    verdicts: Vec<Verdict>,
    /// Of the bad ones, in no order.
    reasons: Vec<(usize, String)>,
}

impl Verdicts {
    fn new(length: usize) -> Self {
        Self { length, verdicts: Vec::new(), reasons: Vec::new() }
    }

    fn of(&self, row: usize) -> Verdict {
        self.verdicts.get(row).copied().unwrap_or(Verdict::Keep)
    }

    fn set(&mut self, row: usize, verdict: Verdict) {
        self.verdicts.resize(self.length, Verdict::Keep);
        self.verdicts[row] = verdict;
    }

    fn bad(&mut self, row: usize, reason: String) {
        if self.of(row) != Verdict::Bad {
            self.set(row, Verdict::Bad);
            self.reasons.push((row, reason));
        }
    }

    /// The records of which `wanted` is true; `None` for all.
    fn choose(&self, wanted: impl Fn(Verdict) -> bool) -> Option<Vec<usize>> {
        let all = self.verdicts.iter().all(|&verdict| wanted(verdict));
        (!all).then(|| (0..self.length).filter(|&row| wanted(self.of(row))).collect())
    }

    /// `faults` count rows among the `chosen` ones.
    fn blame(&mut self, faults: Vec<Fault>, chosen: Option<&[usize]>) {
        for fault in faults {
            let row = chosen.map_or(fault.row, |chosen| chosen[fault.row]);
            self.bad(row, fault.reason);
        }
    }
}

/// Columns that are filled together.
#[derive(Debug)]
struct ColumnSet {
    schema: SchemaRef,
    columns: Vec<(Column, Place)>,
    length: usize,
    /// The numbers of the records, if they are wanted.
    records: Option<Vec<usize>>,
    /// The records themselves, if they are wanted.
    raw: Option<BinaryBuilder>,
    /// Which rows are not to be given out.
    buried: Vec<usize>,
    /// Where the last block starts, and which of its records were chosen (all if there was no choice).
    block_start: usize,
    block_chosen: Option<Vec<usize>>,
}

impl ColumnSet {
    fn new(schema: &SchemaRef, wanted: &mut Wanted, rules: &Rules) -> Result<Self> {
        let columns = schema.fields().iter().map(|field| Ok((Column::new(field, rules)?, wanted.add(field))));
        Ok(Self {
            schema: Arc::clone(schema),
            columns: columns.collect::<Result<_>>()?,
            length: 0,
            records: None,
            raw: None,
            buried: Vec::new(),
            block_start: 0,
            block_chosen: None,
        })
    }

    /// Appends the `chosen` records of `block`, all if there is no choice.
    fn append(
        &mut self,
        block: &Block,
        chosen: Option<Vec<usize>>,
        source: &Source<'_>,
        rules: &Rules,
        verdicts: &mut Verdicts,
    ) {
        let mut from = Chosen { block, rows: chosen.as_deref(), source, rules, faults: Vec::new() };
        for (column, place) in &mut self.columns {
            from.append_to(column, place);
        }
        let faults = from.faults;
        verdicts.blame(faults, chosen.as_deref());
        if self.records.is_some() || self.raw.is_some() {
            self.keep_origins(block, chosen.as_deref(), source.input);
        }
        self.block_start = self.length;
        self.length += chosen.as_ref().map_or(block.records.len(), Vec::len);
        self.block_chosen = chosen;
    }

    /// Keeps where the `chosen` records of `block` are from, all if there is no choice.
    fn keep_origins(&mut self, block: &Block, chosen: Option<&[usize]>, input: &[u8]) {
        let mut keep = |record: &Record| {
            if let Some(records) = &mut self.records {
                records.push(record.number);
            }
            if let Some(raw) = &mut self.raw {
                raw.append_value(&input[record.start as usize..record.end as usize]);
            }
        };
        match chosen {
            None => block.records.iter().for_each(&mut keep),
            Some(rows) => rows.iter().for_each(|row| keep(&block.records[*row])),
        }
    }

    /// The record `row` of the last block is not to be given out.
    fn bury(&mut self, row: usize) {
        let place = match &self.block_chosen {
            None => Some(row),
            Some(chosen) => chosen.binary_search(&row).ok(),
        };
        self.buried.extend(place.map(|place| self.block_start + place));
    }

    fn memory_bytes(&self) -> usize {
        let columns: usize = self.columns.iter().map(|(column, _)| column.memory_bytes()).sum();
        let raw = self.raw.as_ref().map_or(0, |raw| raw.values_slice().len() + size_of_val(raw.offsets_slice()));
        columns + raw + self.records.as_ref().map_or(0, memory::vec) + memory::vec(&self.buried)
    }

    fn finish(&mut self) -> Result<FinishedSet> {
        let length = std::mem::take(&mut self.length);
        let arrays = self.columns.iter_mut().map(|(column, _)| column.finish()).collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(length));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)?;
        let records = self.records.as_mut().map(std::mem::take);
        let raw = self.raw.as_mut().map(BinaryBuilder::finish);
        let all = FinishedSet { rows, records, raw };
        if self.buried.is_empty() {
            return Ok(all);
        }
        let mut keep = vec![true; length];
        for row in self.buried.drain(..) {
            keep[row] = false;
        }
        all.filter(&BooleanArray::from(keep))
    }
}

/// What a [`ColumnSet`] was filled with.
struct FinishedSet {
    rows: RecordBatch,
    records: Option<Vec<usize>>,
    raw: Option<BinaryArray>,
}

impl FinishedSet {
    fn filter(self, keep: &BooleanArray) -> Result<Self> {
        let kept =
            |records: Vec<usize>| records.into_iter().zip(keep.values()).filter_map(|(of, keep)| keep.then_some(of));
        let raw = match self.raw {
            Some(raw) => Some(filter(&raw, keep)?.as_binary().clone()),
            None => None,
        };
        Ok(Self {
            rows: filter_record_batch(&self.rows, keep)?,
            records: self.records.map(|records| kept(records).collect()),
            raw,
        })
    }
}

/// Records of a block on their way into columns.
struct Chosen<'a> {
    block: &'a Block,
    rows: Option<&'a [usize]>,
    source: &'a Source<'a>,
    rules: &'a Rules,
    faults: Vec<Fault>,
}

impl Chosen<'_> {
    fn append_to(&mut self, column: &mut Column, place: &Place) {
        let lane = self.block.lane(place.lane);
        let picked: Vec<Token>;
        let lane = match self.rows {
            None => lane,
            Some(rows) => {
                picked = rows.iter().map(|&row| lane[row]).collect();
                &picked
            }
        };
        let Some(fields) = &place.fields else {
            return column.append(lane, self.source, self.rules, &mut self.faults);
        };
        column.append_presence(lane, self.source, self.rules, &mut self.faults);
        for (column, place) in column.fields_mut().iter_mut().zip(fields) {
            self.append_to(column, place);
        }
    }
}

/// A filter on a column.
#[derive(Debug)]
struct Filter {
    value: FilterValue,
    place: Place,
    /// Converts values that cannot be judged at sight.
    column: Column,
}

impl Filter {
    fn new(filter: &ColumnFilter, table: &SchemaRef, wanted: &mut Wanted, rules: &Rules) -> Result<Self> {
        let field = table.fields().iter().find(|field| *field.name() == filter.column);
        let field = field.filter(|field| can_filter(field.data_type(), &filter.value));
        let field =
            field.ok_or_else(|| Error::internal(format!("the filter on `{}` cannot be pushed down", filter.column)))?;
        Ok(Self { value: filter.value.clone(), place: wanted.add(field), column: Column::new(field, rules)? })
    }

    fn apply(&mut self, block: &Block, source: &Source<'_>, rules: &Rules, verdicts: &mut Verdicts) -> Result<()> {
        for (row, &token) in block.lane(self.place.lane).iter().enumerate() {
            if verdicts.of(row) == Verdict::Bad {
                continue;
            }
            match self.meets(token, source) {
                Some(true) => {}
                Some(false) => verdicts.set(row, Verdict::Drop),
                None => self.convert(row, token, source, rules, verdicts)?,
            }
        }
        Ok(())
    }

    /// Whether a value meets the filter, if that is clear without its type.
    #[inline]
    fn meets(&self, token: Token, source: &Source<'_>) -> Option<bool> {
        let bytes = source.bytes(token);
        match (&self.value, token.kind) {
            (FilterValue::Integer(value), Kind::Number) => {
                let number = integer(bytes)?;
                self.column.holds(number).then_some(number == *value)
            }
            (FilterValue::Text(value), Kind::Text | Kind::Unescaped | Kind::Number | Kind::True | Kind::False) => {
                Some(bytes == value.as_bytes())
            }
            _ => None,
        }
    }

    /// Converts a value as its column does: it may be null, bad, or meet the filter all the same.
    #[cold]
    fn convert(
        &mut self,
        row: usize,
        token: Token,
        source: &Source<'_>,
        rules: &Rules,
        verdicts: &mut Verdicts,
    ) -> Result<()> {
        let mut faults = Vec::new();
        self.column.append(&[token], source, rules, &mut faults);
        let array = self.column.finish()?;
        if let Some(fault) = faults.pop() {
            verdicts.bad(row, fault.reason);
        } else if array.is_null(0) || !self.equals(&array)? {
            verdicts.set(row, Verdict::Drop);
        }
        Ok(())
    }

    fn equals(&self, array: &ArrayRef) -> Result<bool> {
        Ok(match &self.value {
            FilterValue::Integer(value) => {
                cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().value(0) == *value
            }
            FilterValue::Text(value) => array.as_string::<i32>().value(0) == value,
        })
    }
}

/// Whether decoders take over a filter for `value` on a column of `data_type`.
pub(crate) fn can_filter(data_type: &DataType, value: &FilterValue) -> bool {
    match value {
        FilterValue::Integer(_) => data_type.is_signed_integer(),
        FilterValue::Text(_) => *data_type == DataType::Utf8,
    }
}
