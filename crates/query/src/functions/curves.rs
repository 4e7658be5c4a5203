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
use showreport_model::buckets::Buckets;
use showreport_model::curve::{Curve, Spread};
use showreport_model::facts::time_type;
use smallvec::SmallVec;

use super::aggregate::Summary;
use super::lists::{Lists, spans_of};
use super::people::Voice;
use super::sets::{sets_of, union_of};
use super::slots::Slots;

/// Of voices and the sets of their views.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct BucketFigures {
    pub(crate) buckets: Buckets,
}

/// A curve of each kind.
#[derive(Debug, Default)]
pub(crate) struct Curves {
    views: Curve,
    viewers: Curve,
    devices: Curve,
}

impl Curves {
    fn all(&mut self) -> [&mut Curve; 3] {
        [&mut self.views, &mut self.viewers, &mut self.devices]
    }
}

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

    fn update(&self, state: &mut Curves, (voices, lists): &Self::Input<'_>, row: usize) {
        let sets = lists.numbers(row);
        let all = Spread::new(&self.buckets, union_of(sets).settle());
        if voices.value(row) == Voice::Device as i8 {
            state.devices.add(&all);
            return;
        }
        // Every view has one viewer, so the viewers' sets are all views there are.
        state.viewers.add(&all);
        if sets_of(sets).count() == 1 {
            state.views.add(&all);
            return;
        }
        for set in sets_of(sets) {
            let spans: SmallVec<[Span; 4]> = spans_of(set).collect();
            state.views.add(&Spread::new(&self.buckets, &spans));
        }
    }

    fn merge(&self, state: &mut Curves, mut numbers: &[i64]) {
        for curve in state.all() {
            let Some((&length, rest)) = numbers.split_first() else {
                return;
            };
            let (encoded, rest) = rest.split_at(usize::try_from(length).expect("a length"));
            curve.merge(&Curve::decode(encoded));
            numbers = rest;
        }
    }

    fn encode(&self, state: &mut Curves, numbers: &mut Vec<i64>) {
        for curve in state.all() {
            let at = numbers.len();
            numbers.push(0);
            numbers.extend(curve.encode());
            numbers[at] = i64::try_from(numbers.len() - at - 1).expect("a page is short");
        }
    }

    fn finish(&self, states: Slots<Curves>) -> Result<ArrayRef> {
        let mut lists = ListBuilder::new(StructBuilder::from_fields(figures_fields(), 0))
            .with_field(Arc::new(figures_item()));
        for curves in states {
            let mut viewers = curves.viewers.points(&self.buckets).peekable();
            let mut devices = curves.devices.points(&self.buckets).peekable();
            for view in curves.views.points(&self.buckets) {
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
        let curves = [&state.views, &state.viewers, &state.devices];
        curves.into_iter().map(Curve::heap_bytes).sum()
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
