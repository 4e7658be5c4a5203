//! Schemas of answers for `openapi.json`, made from the columns of the answers.

use showreport_model::column::{Column, ColumnType};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

/// Defines types that stand for the body of a response in the description of a route.
macro_rules! described {
    ($($(#[doc = $doc:literal])* $name:ident = $schema:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[derive(Debug)]
            pub(crate) enum $name {}

            impl utoipa::PartialSchema for $name {
                fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                    $schema
                }
            }

            impl utoipa::ToSchema for $name {}
        )*
    };
}

pub(super) use described;

/// The body of a list without pages.
pub(super) fn list(columns: &[Column]) -> RefOr<Schema> {
    object_of(list_of(columns))
}

/// The body of a page of a list.
pub(super) fn page(columns: &[Column]) -> RefOr<Schema> {
    let token = of_type(Type::String).description(Some(
        "The `page_token` of the next page; empty after the last one.",
    ));
    let list = list_of(columns).property("next_page_token", token);
    object_of(list.required("next_page_token"))
}

/// An object with these figures beside what `object` has.
pub(super) fn with_figures(mut object: ObjectBuilder, columns: &[Column]) -> ObjectBuilder {
    for column in columns {
        object = object
            .property(column.name, cell(column))
            .required(column.name);
    }
    object
}

/// An object with the time of its facts.
pub(super) fn with_as_of() -> ObjectBuilder {
    let as_of = of_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
        .description(Some(
            "Everything that was acknowledged up to this instant is counted.",
        ));
    ObjectBuilder::new()
        .property("as_of", as_of)
        .required("as_of")
}

pub(super) fn object_of(object: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::Object(object.build()))
}

pub(super) fn list_of(columns: &[Column]) -> ObjectBuilder {
    let rows = ArrayBuilder::new().items(row(columns));
    with_as_of().property("rows", rows).required("rows")
}

/// A row, or another object with these columns alone.
pub(super) fn row(columns: &[Column]) -> Object {
    with_figures(ObjectBuilder::new(), columns).build()
}

/// A cell; `null` where it is absent.
fn cell(column: &Column) -> Object {
    let (kind, format) = match column.kind {
        ColumnType::Boolean => (Type::Boolean, None),
        ColumnType::Integer => (Type::Integer, Some(KnownFormat::Int64)),
        ColumnType::Number | ColumnType::Seconds => (Type::Number, Some(KnownFormat::Double)),
        ColumnType::Time => (Type::String, Some(KnownFormat::DateTime)),
        ColumnType::Date | ColumnType::Text => (Type::String, None),
    };
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([kind, Type::Null]))
        .format(format.map(SchemaFormat::KnownFormat))
        .description(Some(column.meaning))
        .build()
}

pub(super) fn of_type(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(kind))
}

/// The same, or `null`.
pub(super) fn nullable(kind: Type) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::from_iter([kind, Type::Null]))
}
