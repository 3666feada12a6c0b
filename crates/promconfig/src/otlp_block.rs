//! The `otlp` block. What it says is applied by the crate `otlp`, whose type it is.

use ::otlp::metrics::{Config, Strategy};
use yaml::{Context, Fields, Node, Outcome};

use crate::print::Block;

/// Reads the block; the strategy as it was written comes beside it, since the whole file decides on it.
pub(crate) fn read(node: &Node, context: &mut Context) -> Outcome<(Config, String)> {
    let mut fields = Fields::open(node, context, "config.plain")?;
    let mut otlp = Config::default();
    let mut strategy = name(Strategy::default()).to_owned();
    let flags: [(&'static str, &mut bool); 6] = [
        ("promote_all_resource_attributes", &mut otlp.promote_all_resource_attributes),
        ("keep_identifying_resource_attributes", &mut otlp.keep_identifying_resource_attributes),
        ("convert_histograms_to_nhcb", &mut otlp.convert_histograms_to_nhcb),
        ("promote_scope_metadata", &mut otlp.promote_scope_metadata),
        ("label_name_underscore_sanitization", &mut otlp.label_name_underscore_sanitization),
        ("label_name_preserve_multiple_underscores", &mut otlp.label_name_preserve_multiple_underscores),
    ];
    for (key, value) in flags {
        fields.set(key, value, context, yaml::boolean)?;
    }
    fields.set(
        "promote_resource_attributes",
        &mut otlp.promote_resource_attributes,
        context,
        yaml::strings,
    )?;
    fields.set("ignore_resource_attributes", &mut otlp.ignore_resource_attributes, context, yaml::strings)?;
    fields.set("translation_strategy", &mut strategy, context, |node, context| {
        yaml::named_string(node, context, "otlptranslator.TranslationStrategyOption")
    })?;
    fields.close(context)?;
    let otlp = otlp.validated().map_err(|message| node.refuse(message))?;
    Ok((otlp, strategy))
}

/// The strategy's name in the file.
pub(crate) fn name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::UnderscoreEscapingWithSuffixes => "UnderscoreEscapingWithSuffixes",
        Strategy::UnderscoreEscapingWithoutSuffixes => "UnderscoreEscapingWithoutSuffixes",
        Strategy::NoUTF8EscapingWithSuffixes => "NoUTF8EscapingWithSuffixes",
        Strategy::NoTranslation => "NoTranslation",
    }
}

/// What a block that is there and null says: unlike a missing one, nothing at all.
pub(crate) fn null() -> Config {
    Config {
        label_name_underscore_sanitization: false,
        label_name_preserve_multiple_underscores: false,
        ..Config::default()
    }
}

/// `strategy` is the one that was written.
pub(crate) fn print(otlp: &Config, strategy: &str) -> Block {
    let mut block = Block::default();
    block.flag("promote_all_resource_attributes", otlp.promote_all_resource_attributes);
    block.texts("promote_resource_attributes", &otlp.promote_resource_attributes);
    block.texts("ignore_resource_attributes", &otlp.ignore_resource_attributes);
    block.text("translation_strategy", strategy);
    block.flag("keep_identifying_resource_attributes", otlp.keep_identifying_resource_attributes);
    block.flag("convert_histograms_to_nhcb", otlp.convert_histograms_to_nhcb);
    block.flag("promote_scope_metadata", otlp.promote_scope_metadata);
    block.flag("label_name_underscore_sanitization", otlp.label_name_underscore_sanitization);
    block.flag("label_name_preserve_multiple_underscores", otlp.label_name_preserve_multiple_underscores);
    block
}
