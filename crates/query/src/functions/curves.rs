//! `bucket_figures`: views, viewers, devices and times of every bucket of a page.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Builder, ListBuilder, PrimitiveArray, StructBuilder,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Fields, Int8Type};
use datafusion::common::exec_datafusion_err;
use datafusion::error::Result;
use showreport_model::Span;
use showreport_model::buckets::{Buckets, Curve};
use showreport_model::facts::time_type;

use super::aggregate::Summary;
use super::lists::Lists;
use super::people::Voice;

/// Of voices and their sets of spans.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BucketFigures {
    pub(crate) buckets: Buckets,
}

/// A curve for each voice.
#[derive(Debug, Default)]
pub(crate) struct Curves([Curve; 3]);

const VIEW: usize = Voice::View as usize;
const VIEWER: usize = Voice::Viewer as usize;
const DEVICE: usize = Voice::Device as usize;

impl Summary for BucketFigures {
    const NAME: &'static str = "bucket_figures";
    const ARGUMENTS: usize = 2;
    type State = Curves;
    type Input<'a> = (&'a PrimitiveArray<Int8Type>, Lists<'a>);

    fn return_type(&self) -> DataType {
        DataType::List(Arc::new(figures_item()))
    }

    fn input<'a>(&self, arguments: &'a [ArrayRef]) -> Result<Self::Input<'a>> {
        let voices = arguments[0]
            .as_primitive_opt::<Int8Type>()
            .ok_or_else(|| exec_datafusion_err!("voices are numbers"))?;
        Ok((voices, Lists::new(&arguments[1])?))
    }

    fn update(&self, state: &mut Curves, (voices, sets): &Self::Input<'_>, row: usize) {
        let set: Vec<Span> = sets.spans(row).collect();
        let voice = usize::try_from(voices.value(row)).expect("voices are counted from 0");
        state.0[voice].add(&self.buckets, &set);
    }

    fn merge(&self, state: &mut Curves, mut numbers: &[i64]) {
        for curve in &mut state.0 {
            let Some((&length, rest)) = numbers.split_first() else {
                return;
            };
            let (encoded, rest) = rest.split_at(usize::try_from(length).expect("a length"));
            curve.merge(&Curve::decode(encoded));
            numbers = rest;
        }
    }

    fn encode(&self, state: &mut Curves) -> Vec<i64> {
        let mut numbers = Vec::new();
        for curve in &state.0 {
            let encoded: Vec<i64> = curve.encode().collect();
            numbers.push(i64::try_from(encoded.len()).expect("a page is short"));
            numbers.extend(encoded);
        }
        numbers
    }

    fn finish(&self, states: Vec<Curves>) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(StructBuilder::from_fields(figures_fields(), 0))
            .with_field(Arc::new(figures_item()));
        for curves in states {
            let [mut viewers, mut devices] =
                [VIEWER, DEVICE].map(|voice| curves.0[voice].points(&self.buckets).peekable());
            for view in curves.0[VIEW].points(&self.buckets) {
                // Where there is a view there is its viewer; a device may be unknown.
                let viewer = viewers.next_if(|point| point.index == view.index);
                let device = devices.next_if(|point| point.index == view.index);
                let figures = [
                    view.sets,
                    viewer.map_or(0, |point| point.sets),
                    device.map_or(0, |point| point.sets),
                    view.millis,
                    viewer.map_or(0, |point| point.millis),
                ];
                append(lists.values(), self.buckets.start(view.index), figures);
            }
            lists.append(true);
        }
        Ok(Arc::new(lists.finish()))
    }

    fn heap_bytes(state: &Curves) -> usize {
        state.0.iter().map(Curve::heap_bytes).sum()
    }
}

fn figures_fields() -> Fields {
    let figure = |name: &str| Field::new(name, DataType::Int64, false);
    Fields::from(vec![
        Field::new("watch_timestamp", time_type(), false),
        figure("views"),
        figure("viewers"),
        figure("devices"),
        figure("watch_millis"),
        figure("attended_millis"),
    ])
}

fn figures_item() -> Field {
    Field::new("item", DataType::Struct(figures_fields()), true)
}

fn append(builder: &mut StructBuilder, start: i64, figures: [i64; 5]) {
    let kind = "the fields are those of figures_fields";
    builder
        .field_builder::<TimestampMillisecondBuilder>(0)
        .expect(kind)
        .append_value(start);
    for (field, figure) in (1..).zip(figures) {
        builder
            .field_builder::<Int64Builder>(field)
            .expect(kind)
            .append_value(figure);
    }
    builder.append(true);
}
